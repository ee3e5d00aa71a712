/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/dump_path.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/influx/names.h"
#include "store/influxsnap/loosefind.h"
#include "store/influxsnap/say.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NO_DATABASE "loose"
#define NO_POLICY "autogen"
#define NO_ID 1

/* Names of loose files, as influxd would give them. */
#define FILE_NAME "000000001-000000001"
#define FILE_TSM FILE_NAME NAME_TSM_SUFFIX
#define FILE_WAL "_00001" NAME_WAL_SUFFIX

/* What a folder is, by how far the files of shards lie below it. */
enum level { LEVEL_SHARD, LEVEL_POLICY, LEVEL_DATABASE, LEVEL_DATA, LEVEL_NONE };

struct place {
    enum level level;
    const char *db, *rp; /* NULL: not known yet */
    uint64_t id;
    const char *wal; /* the WAL folder of the store; NULL: not known */
    struct loose *l;
    struct err *e;
};

/* ---- what a folder is ---- */

static int path_level(const char *path, unsigned depth, enum level *out, struct err *e);

struct level_look {
    enum level level;
    unsigned depth;
    struct err *e;
};

static int path_look(void *arg, const char *path, const char *name)
{
    struct level_look *look = arg;
    enum level below = LEVEL_NONE;
    uint64_t id;
    if (name_is_tsm(name) || name_is_wal(name) || strcmp(name, NAME_INDEX) == 0) {
        look->level = LEVEL_SHARD;
        return 1;
    }
    if (look->depth == 0 || name_is_series(name) || !loosefind_is_folder(path, true))
        return 0;
    if (name_is_shard(name, &id)) {
        look->level = LEVEL_POLICY;
        return 0;
    }
    int r = path_level(path, look->depth - 1, &below, look->e);
    if (below >= LEVEL_POLICY && below < LEVEL_DATA && (int)below + 1 < (int)look->level)
        look->level = (enum level)(below + 1);
    return r;
}

static int path_level(const char *path, unsigned depth, enum level *out, struct err *e)
{
    struct level_look look = {LEVEL_NONE, depth, e};
    int r = loosefind_each(path, path_look, &look, e);
    *out = look.level;
    return r < 0 ? r : 0;
}

/* ---- what is in it ---- */

static int path_add_shard(const struct place *p, const char *path)
{
    autofree char *wal = NULL;
    if (loose_begin(p->l, p->db, p->rp, p->id) < 0)
        return err_sys(p->e, -ENOMEM, "%s", path);
    int r = loose_add_folder(p->l, path, false, p->e);
    if (r == 0)
        r = loose_add_folder(p->l, path, true, p->e); /* segments that were put beside them */
    if (r < 0 || !p->wal)
        return r;
    if (asprintf(&wal, "%s/%s/%s/%" PRIu64, p->wal, p->db, p->rp, p->id) < 0)
        return err_sys(p->e, -ENOMEM, "%s", path);
    return loosefind_is_folder(wal, true) ? loose_add_folder(p->l, wal, true, p->e) : 0;
}

static int path_add(void *arg, const char *path, const char *name)
{
    struct place p = *(struct place *)arg;
    uint64_t id = 0;
    if (!loosefind_is_folder(path, true) || name_is_hidden(name))
        return 0;
    switch (p.level--) {
    case LEVEL_DATA:
        p.db = name;
        break;
    case LEVEL_DATABASE:
        if (name_is_series(name))
            return 0;
        p.rp = name;
        break;
    default:
        if (!name_is_shard(name, &id))
            return 0;
        p.id = id;
        return path_add_shard(&p, path);
    }
    return loosefind_each(path, path_add, &p, p.e);
}

/* ---- names from above ---- */

/* Takes the last component off a path; NULL: there is none. */
static const char *take_last(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || !slash[1])
        return NULL;
    *slash = '\0';
    return slash + 1;
}

/* The names of the folders that hold what is at the path, which is cut into pieces; and the WAL
 * folder, if what is left is called data and has one beside it. */
static int path_names(struct place *p, char *path, char **wal)
{
    const char *name;
    if (p->level == LEVEL_SHARD && (!(name = take_last(path)) || !name_is_shard(name, &p->id)))
        p->id = NO_ID;
    if (p->level <= LEVEL_POLICY && !(p->rp = take_last(path)))
        p->rp = NO_POLICY;
    if (p->level <= LEVEL_DATABASE && !(p->db = take_last(path)))
        p->db = NO_DATABASE;
    name = take_last(path);
    if (name && strcmp(name, "data") == 0 && asprintf(wal, "%s/wal", path) < 0)
        return -ENOMEM;
    p->wal = *wal && loosefind_is_folder(*wal, true) ? *wal : NULL;
    return 0;
}

static int path_add_folder(const char *path, struct place *p)
{
    autofree char *real = realpath(path, NULL), *wal = NULL;
    int r = real ? path_level(real, 3, &p->level, p->e) : -errno;
    if (r < 0)
        return p->e->text[0] ? r : err_sys(p->e, r, "%s", path);
    if (p->level == LEVEL_NONE)
        return err_set(p->e, -ENOENT,
                       "%s: neither it nor a folder below it looks like a shard's: a number, with "
                       "TSM files or WAL segments",
                       path);
    if (path_names(p, real, &wal) < 0)
        return err_sys(p->e, -ENOMEM, "%s", path);
    if (p->wal)
        snap_note("the WAL of these shards is taken from %s", p->wal);
    return p->level == LEVEL_SHARD ? path_add_shard(p, path)
                                   : loosefind_each(path, path_add, p, p->e);
}

/* A file under its name, or under one that influxd would give it. */
static int path_add_one(const char *path, struct place *p)
{
    autofree char *real = realpath(path, NULL), *wal = NULL, *tombstone = NULL;
    const char *name = real ? path_last(real) : "", *dot = strrchr(name, '.');
    const bool segment = dot && strcmp(dot, NAME_WAL_SUFFIX) == 0;
    size_t stem = dot ? (size_t)(dot - name) : 0;
    if (!real)
        return err_sys(p->e, -errno, "%s", path);
    if (name_is_bad_tsm(name))
        stem -= strlen(NAME_TSM_SUFFIX);
    else if (!segment && (!dot || strcmp(dot, NAME_TSM_SUFFIX) != 0))
        return err_set(p->e, -EINVAL, "%s: neither a folder nor a TSM file or WAL segment", path);
    if (asprintf(&tombstone, "%.*s" NAME_TOMBSTONE_SUFFIX, (int)(name - real + (long)stem), real) <
        0)
        return err_sys(p->e, -ENOMEM, "%s", path);
    autofree char *folder = strndup(real, (size_t)(name - real - 1));
    p->level = LEVEL_SHARD;
    if (!folder || path_names(p, folder, &wal) < 0 || loose_begin(p->l, p->db, p->rp, p->id) < 0)
        return err_sys(p->e, -ENOMEM, "%s", path);
    snap_note("messages call it %s/%s/%s/%" PRIu64 "/%s", segment ? "wal" : "data", p->db, p->rp,
              p->id, segment ? FILE_WAL : FILE_TSM);
    if (segment)
        return loose_add_file(p->l, path, FILE_WAL, true, p->e);
    int r = loose_add_file(p->l, path, FILE_TSM, false, p->e);
    struct stat st;
    if (r == 0 && stat(tombstone, &st) == 0)
        r = loose_add_file(p->l, tombstone, FILE_NAME NAME_TOMBSTONE_SUFFIX, false, p->e);
    return r;
}

/* ---- as a capture ---- */

static int64_t no_rule(void *arg, const char *db, const char *rp)
{
    (void)arg, (void)db, (void)rp;
    return 0;
}

static void path_say(void *told, const char *text, bool left_out)
{
    if (left_out)
        told_lacks(told, text);
    else
        snap_note("guessed: %s", text);
}

int dump_path_open(const char *path, struct told *told, struct capture **out, struct err *e)
{
    const struct remeta_rules rules = {no_rule, no_rule, path_say, told};
    cleanup(loose_freep) struct loose *l = loose_new();
    cleanup(metaedit_freep) struct metaedit *m = NULL;
    struct place p = {.l = l, .e = e};
    struct stat st;
    void *meta = NULL;
    size_t n = 0, made = 0;
    if (stat(path, &st) < 0 || !l)
        return err_sys(e, l ? -errno : -ENOMEM, "%s", path);
    int r = S_ISDIR(st.st_mode) ? path_add_folder(path, &p) : path_add_one(path, &p);
    if (r == 0)
        r = metaedit_open(NULL, 0, &m, e);
    if (r == 0)
        r = loosefind_remeta(l, m, &rules, NULL, &made, e);
    if (r == 0 && !made)
        r = err_set(e, -ENOENT, "%s: no point is in it", path);
    if (r == 0)
        r = metaedit_print(m, &meta, &n, e);
    if (r == 0 && loose_capture(&l, meta, n, out) < 0)
        r = err_sys(e, -ENOMEM, "%s", path);
    return r;
}
