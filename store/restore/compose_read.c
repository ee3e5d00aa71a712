/* SPDX-License-Identifier: MIT */
/* What is asked for, and the two metastores. */
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/restore/compose_impl.h"
#include "store/rewrite/partmeta.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Whether a folder holds nothing that could be a database. */
static int read_folder_is_empty(int fd, bool *empty)
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
static int read_no_store(const int fds[TARGETS], bool *none)
{
    bool empty[TARGETS] = {true, true, true};
    int r = 0;
    for (int i = 0; r == 0 && i < TARGETS; i++) {
        if (fds[i] < 0)
            continue;
        if (i == TARGET_META)
            empty[i] = faccessat(fds[i], NAME_META_DB, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
        else
            r = read_folder_is_empty(fds[i], &empty[i]);
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
        if ((r = read_no_store(fds, &none)) < 0)
            return err_sys(e, r, "the store's folders cannot be read");
        of_part.part = *m->selection;
        q = &of_part;
    }
    int r = none ? 0 : restore_request_copy(q, out);
    return r < 0 ? err_sys(e, r, "restore") : 0;
}

/* A snapshot of a part never gives more than it was asked for when it was made. */
static void read_narrow(struct compose *c)
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

/* Without a store, there is nothing in it. */
int compose_read_ours(struct compose *c, struct err *e)
{
    autofree char *buf = NULL;
    size_t len = 0;
    bool none = false;
    const char *meta = c->t->at[TARGET_META].path;
    int fd = c->ours[TARGET_META];
    int r = read_no_store(c->ours, &none);
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

/* Of the snapshot's metastore only what is asked for stays; users do, for their grants. */
int compose_read(struct compose *c, const void *meta, size_t len, struct err *e)
{
    read_narrow(c);
    int r = metaedit_open(meta, len, &c->incoming, e);
    if (r == 0)
        r = compose_read_ours(c, e);
    if (r == 0)
        r = compose_check_part(c, e);
    return r < 0 ? r : partmeta_keep(c->incoming, &c->part, e);
}

int compose_name_is_free(const struct compose *c, struct err *e)
{
    if (!c->q->as || c->q->merge != MERGE_NONE ||
        !metaedit_find(c->meta, NULL, METAEDIT_DATABASE, c->q->as))
        return 0;
    return err_set(
        e, -EEXIST,
        "there is a database %s already, and one that gets a name replaces none: drop it "
        "first, or choose another name",
        c->q->as);
}
