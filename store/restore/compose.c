/* SPDX-License-Identifier: MIT */
#include "store/restore/compose_impl.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* What is asked */

/* Whether a folder holds nothing that could be a database. */
static int compose_folder_is_empty(int fd, bool *empty)
{
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    *empty = true;
    for (size_t i = 0; r == 0 && i < list.n; i++)
        *empty &= name_is_foreign(list.names[i]) ||
                  (dir_type(&list, i) != DT_DIR && dir_type(&list, i) != DT_UNKNOWN);
    return r;
}

/* Whether there is no store yet: neither a meta.db nor the folder of a database. */
static int compose_no_store(const int fds[TARGETS], bool *none)
{
    bool empty[TARGETS] = {true, true, true};
    int r = 0;
    for (int i = 0; r == 0 && i < TARGETS; i++) {
        if (fds[i] < 0)
            continue;
        if (i == TARGET_META)
            empty[i] = faccessat(fds[i], NAME_META_DB, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
        else
            r = compose_folder_is_empty(fds[i], &empty[i]);
    }
    *none = empty[TARGET_META] && empty[TARGET_DATA] && empty[TARGET_WAL];
    return r;
}

int compose_asked(const struct targets *t, const struct manifest *m,
                  const struct restore_request *q, struct restore_request **out, struct err *e)
{
    cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
    struct restore_request of_part = RESTORE_REQUEST_NONE;
    bool none = false;
    *out = NULL;
    if (!restore_request_composes(q)) {
        if (!m->selection)
            return 0;
        int r = targets_open_store(t, fds, e);
        if (r < 0)
            return r;
        if ((r = compose_no_store(fds, &none)) < 0)
            return err_sys(e, r, "the store's folders cannot be read");
        of_part.part = *m->selection;
        q = &of_part;
    }
    int r = none ? 0 : restore_request_copy(q, out);
    return r < 0 ? err_sys(e, r, "restore") : 0;
}

/* A snapshot of a part never gives more than it was asked for when it was made. */
static void compose_narrow(struct compose *c)
{
    const struct selection *s = c->state->selection;
    c->part = c->q->part;
    if (!s)
        return;
    if (!c->part.rp)
        c->part.rp = s->rp;
    if (!c->part.nshards) {
        c->part.shards = s->shards;
        c->part.nshards = s->nshards;
    }
    c->part.from = time_later(c->part.from, s->from);
    c->part.to = c->part.to < s->to ? c->part.to : s->to;
    c->part.exact |= s->exact && c->q->merge == MERGE_NONE;
}

/* The two metastores */

static bool choose_database(void *arg, const char *db)
{
    return selection_has_database(arg, db);
}

static bool choose_policy(void *arg, const char *db, const char *rp)
{
    return selection_has_policy(arg, db, rp);
}

static bool choose_shard(void *arg, const char *db, const char *rp, uint64_t id, int64_t start,
                         int64_t end)
{
    return selection_has_shard(arg, db, rp, id, start, end);
}

/* Without a store, there is nothing in it. */
static int compose_read_ours(struct compose *c, struct err *e)
{
    autofree char *buf = NULL;
    size_t len = 0;
    bool none = false;
    const char *meta = c->t->at[TARGET_META].path;
    int fd = c->ours[TARGET_META];
    int r = compose_no_store(c->ours, &none);
    if (r < 0)
        return err_sys(e, r, "the store's folders cannot be read");
    if (none)
        return metaedit_open(NULL, 0, &c->meta, e);
    r = fd < 0 ? -ENOENT : io_read_file(fd, NAME_META_DB, META_DB_MAX, &buf, &len);
    if (r == 0 && fstatat(fd, NAME_META_DB, &c->was, AT_SYMLINK_NOFOLLOW) < 0)
        r = -errno;
    if (r == -ENOENT)
        return err_set(e, -EIO,
                       "%s/" NAME_META_DB " is missing, although there is data: a part of a "
                       "snapshot cannot be put into a store without it; restore a whole snapshot, "
                       "or make a " NAME_META_DB " with `influxsnap rebuild-meta`",
                       meta);
    if (r < 0)
        return err_sys(e, r, "%s/" NAME_META_DB, meta);
    struct err why = {0};
    r = metaedit_open(buf, len, &c->meta, &why);
    return r < 0 ? err_set(e, -EIO, "%s/" NAME_META_DB ": %s", meta, why.text) : 0;
}

/* theirs: the bytes of the snapshot's, of which only what is asked for stays; users do, for their
 * grants. */
static int compose_read_metas(struct compose *c, const void *theirs, size_t len, struct err *e)
{
    const struct metaedit_choice choice = {choose_database, choose_policy, choose_shard, &c->part,
                                           true};
    int r = metaedit_open(theirs, len, &c->incoming, e);
    if (r == 0)
        r = compose_check_part(c, e);
    if (r == 0)
        r = metaedit_keep(c->incoming, &choice, e);
    return r < 0 ? r : compose_read_ours(c, e);
}

/* Writes the new one as the old one was, but for its time. */
static int compose_write_meta(struct compose *c, struct err *e)
{
    autofree void *buf = NULL;
    size_t len = 0;
    const mode_t mode = c->was.st_nlink ? c->was.st_mode & 0777 : 0644;
    const int64_t before = c->was.st_nlink ? time_from_spec(&c->was.st_mtim) : 0;
    int r = metaedit_print(c->meta, &buf, &len, e);
    if (r == 0)
        r = stage_open(c->stage, NAME_META_MEMBER, mode, e);
    if (r == 0)
        r = stage_write(c->stage, buf, len, e);
    return r < 0 ? r : stage_close(c->stage, time_later(time_wall_ns(), before + 1), e);
}

/* The work */

static void compose_init(struct compose *c, struct targets *t, const struct restore_request *q,
                         struct manifest *state, struct composed *out)
{
    *c = (struct compose){.t = t, .q = q, .state = state, .out = out};
    for (int i = 0; i < TARGETS; i++)
        c->ours[i] = c->theirs[i] = c->fresh[i] = -1;
    compose_narrow(c);
}

static void compose_clear(struct compose *c)
{
    stage_free(c->stage);
    metaedit_free(c->meta);
    metaedit_free(c->incoming);
    targets_close(c->ours);
    targets_close(c->theirs);
    targets_close(c->fresh);
    free(c->shards);
    for (size_t i = 0; i < c->ndropped; i++)
        free(c->dropped[i]);
    free(c->dropped);
    free(c->touched);
    for (size_t i = 0; i < c->ncame; i++)
        free(c->came[i].name);
    free(c->came);
    compose_merge_free(c->merge);
}

static int compose_open(struct compose *c, struct err *e)
{
    int fds[TARGETS];
    int r = targets_stage_again(c->t, c->theirs, fds, e);
    if (r == 0)
        r = stage_new(c->t, fds, &c->stage, e);
    if (r == 0)
        r = targets_open_staged(c->t, c->fresh, e);
    return r < 0 ? r : targets_open_store(c->t, c->ours, e);
}

static int compose_plan_all(struct compose *c, struct err *e)
{
    autofree char *theirs = NULL;
    size_t len = 0;
    int r = io_read_file(c->theirs[TARGET_META], NAME_META_DB, META_DB_MAX, &theirs, &len);
    if (r < 0)
        return err_sys(e, r, "the snapshot's " NAME_META_DB);
    r = compose_read_metas(c, theirs, len, e);
    return r < 0 ? r : compose_plan(c, e);
}

int compose_run(struct targets *t, const struct restore_request *q, struct manifest *state,
                struct composed *out, struct err *e)
{
    cleanup(composed_clear) struct composed did = {0};
    struct compose c;
    compose_init(&c, t, q, state, &did);
    int r = compose_open(&c, e);
    if (r == 0)
        r = compose_plan_all(&c, e);
    if (r == 0)
        r = compose_write_meta(&c, e);
    if (r == 0)
        r = compose_fill(&c, e);
    if (r == 0)
        r = stage_finish(c.stage, e);
    compose_clear(&c);
    if (r < 0)
        return r;
    *out = did;
    did = (struct composed){0};
    return 0;
}

int compose_look(const struct store_paths *paths, const struct restore_request *q,
                 const struct manifest *state, char **meta, size_t *len, struct composed *out,
                 struct err *e)
{
    void *new_meta = NULL;
    size_t new_len = 0;
    cleanup(composed_clear) struct composed did = {0};
    cleanup(restore_request_freep) struct restore_request *asked = NULL;
    cleanup(targets_freep) struct targets *t = NULL;
    struct compose c;
    int r = targets_open(paths, (uid_t)-1, (gid_t)-1, &t, e);
    if (r == 0)
        r = compose_asked(t, state, q, &asked, e);
    if (r < 0 || !asked)
        return r;
    compose_init(&c, t, asked, (struct manifest *)state, &did);
    r = targets_open_store(t, c.ours, e);
    if (r == 0)
        r = compose_read_metas(&c, *meta, *len, e);
    if (r == 0)
        r = compose_plan(&c, e);
    if (r == 0)
        r = metaedit_print(c.meta, &new_meta, &new_len, e);
    compose_clear(&c);
    if (r < 0)
        return r;
    free(*meta);
    *meta = new_meta;
    *len = new_len;
    *out = did;
    did = (struct composed){0};
    return 1;
}
