/* SPDX-License-Identifier: MIT */
/* The files of a composed store: those of the store that stay, and those that come from the
 * snapshot. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/restore/compose_impl.h"
#include "store/restore/stage_fill.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stays of the store */

/* The path's first n components; false: it has fewer. */
static bool fill_first(const char *path, int n, char out[PATH_MAX])
{
    const char *p = path;
    for (; n > 0; n--) {
        p = strchrnul(p, '/');
        if (n > 1 && !*p++)
            return false;
    }
    memcpy(out, path, (size_t)(p - path));
    out[p - path] = 0;
    return true;
}

static bool fill_is_touched(const struct compose *c, const char *db)
{
    for (size_t i = 0; i < c->ntouched; i++)
        if (strcmp(c->touched[i], db) == 0)
            return true;
    return false;
}

/* What influxd makes anew where shards were changed; `index`, which says that a shard is one of
 * tsi1, stays as an empty folder. path: below data/, in a touched database. */
static enum mirror_choice fill_choose_derived(const char *path, int depth)
{
    char policy[PATH_MAX];
    const char *base = path_last(path);
    fill_first(path, 2, policy);
    if (name_is_series(path_last(policy)))
        return MIRROR_NOT;
    if (depth == 4 && name_is_fields(base))
        return MIRROR_NOT;
    return depth == 4 && strcmp(base, NAME_INDEX) == 0 ? MIRROR_EMPTY : MIRROR_ALL;
}

struct keeping {
    const struct compose *c;
    enum target_kind kind;
};

static enum mirror_choice fill_choose(void *arg, const char *name, mode_t type)
{
    const struct keeping *k = arg;
    const struct target *t = &k->c->t->at[k->kind];
    const char *path;
    char db[PATH_MAX];
    int depth = 1;
    (void)type;
    target_kind_of(name, &path);
    for (const char *p = path; *p; p++)
        depth += *p == '/';
    if (depth == 1 &&
        (strcmp(path, TARGET_HOME) == 0 || (target_by_contents(t) && target_is_own_entry(t, path))))
        return MIRROR_NOT;
    if (k->kind == TARGET_META)
        return strcmp(path, NAME_META_DB) == 0 ? MIRROR_NOT : MIRROR_ALL;
    if (depth <= 3 && compose_drops(k->c, path))
        return MIRROR_NOT;
    fill_first(path, 1, db);
    return depth > 1 && k->kind == TARGET_DATA && fill_is_touched(k->c, db)
               ? fill_choose_derived(path, depth)
               : compose_merge_choose(k->c, k->kind, path, depth);
}

static void fill_lacks(void *arg, const char *path, const char *label, int code)
{
    const struct keeping *k = arg;
    const struct target *t = &k->c->t->at[k->kind];
    struct err line;
    err_sys(&line, code,
            "warning: %s, and perhaps others, cannot be given its %s; compare them with `getfattr "
            "-d -m -`",
            path, label);
    if (t->tell)
        t->tell(t->tell_arg, line.text);
}

/* The three folders are the store's, if it has them, else the snapshot's. */
static int fill_root(const struct compose *c, int i, struct err *e)
{
    struct stat st;
    const char *name = target_kind_name((enum target_kind)i);
    if (fstat(c->ours[i] >= 0 ? c->ours[i] : c->theirs[i], &st) < 0)
        return err_sys(e, -errno, "%s", name);
    return stage_folder(c->stage, name, st.st_mode & 0777, time_from_spec(&st.st_mtim), e);
}

static int fill_kept(const struct compose *c, struct err *e)
{
    int r = 0;
    for (int i = 0; r == 0 && i < TARGETS; i++) {
        struct keeping k = {c, (enum target_kind)i};
        struct mirror m = {.name = target_kind_name(k.kind),
                           .from = c->ours[i],
                           .to = c->fresh[i],
                           .choose = fill_choose,
                           .lacks = fill_lacks,
                           .arg = &k};
        r = fill_root(c, i, e);
        if (r == 0 && c->ours[i] >= 0)
            r = mirror_run(&m, e);
    }
    return r;
}

/* What comes from the snapshot */

/* One entry of a shard: what a snapshot is made of, and no more. */
static int fill_entry(struct compose *c, enum target_kind kind, int from, const char *folder,
                      const char *base, struct err *e)
{
    struct stat st;
    char name[PATH_MAX];
    const bool index = kind == TARGET_DATA && strcmp(base, NAME_INDEX) == 0;
    const bool file =
        kind == TARGET_DATA ? name_is_tsm(base) || name_is_tombstone(base) : name_is_wal(base);
    if ((!file && !index) || snprintf(name, sizeof(name), "%s/%s", folder, base) >= PATH_MAX)
        return 0;
    if (fstatat(from, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, -errno, "staging %s", name);
    if (index)
        return S_ISDIR(st.st_mode)
                   ? stage_folder(c->stage, name, st.st_mode & 0777, time_from_spec(&st.st_mtim), e)
                   : 0;
    int r = stage_fill_file(c->stage, name, from, base, e);
    return r < 0 ? r : compose_came(c, name, e);
}

/* The data or WAL folder of a shard; it may lack either. */
static int fill_shard_of(struct compose *c, enum target_kind kind, const struct compose_shard *s,
                         struct err *e)
{
    char name[PATH_MAX], theirs[PATH_MAX];
    cleanup(dir_free) struct dir list = {0};
    snprintf(name, sizeof(name), "%s/%s/%s/%" PRIu64, target_kind_name(kind), s->db, s->rp, s->id);
    snprintf(theirs, sizeof(theirs), "%s/%s/%" PRIu64, s->their_db, s->their_rp, s->their_id);
    autoclose int from = io_open_beneath(c->theirs[kind], theirs, O_RDONLY | O_DIRECTORY);
    if (from == -ENOENT)
        return 0;
    if (from < 0)
        return err_sys(e, from, "staging %s", name);
    int r = compose_make_shard(c, kind, s, from, e);
    if (r == 0 && (r = dir_read(from, &list)) < 0)
        err_sys(e, r, "staging %s", name);
    for (size_t i = 0; r == 0 && i < list.n; i++)
        r = fill_entry(c, kind, from, name, list.names[i], e);
    return r;
}

int compose_fill(struct compose *c, struct err *e)
{
    int r = fill_kept(c, e);
    if (r == 0)
        r = compose_came(c, NAME_META_MEMBER, e);
    for (size_t i = 0; r == 0 && i < c->nshards; i++) {
        r = fill_shard_of(c, TARGET_DATA, &c->shards[i], e);
        if (r == 0)
            r = fill_shard_of(c, TARGET_WAL, &c->shards[i], e);
    }
    if (r == 0)
        r = compose_merge_fill(c, e);
    if (r == 0)
        compose_came_all(c);
    return r;
}
