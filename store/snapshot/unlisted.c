/* SPDX-License-Identifier: MIT */
#include "store/snapshot/unlisted.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/influx/names.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void unlisted_forget(struct unlisted *u)
{
    for (size_t i = 0; i < u->n; i++)
        free(u->folders[i].path);
    free(u->folders);
    *u = (struct unlisted){0};
}

int unlisted_shares_id(const struct meta *m, size_t k, const char *path, struct err *e)
{
    const char *db, *rp;
    uint64_t id;
    meta_live_shard_at(m, k, &db, &rp, &id);
    return err_set(e, -EIO,
                   "data/%s: meta.db does not list it, and gives its id to shard %s/%s/%" PRIu64
                   ": meta.db was lost and begun anew beside old data, or data was copied in; "
                   "influxd mixes the two up. Restore the meta.db that belongs to the data, or "
                   "move what does not out of the data folder",
                   path, db, rp, id);
}

static int unlisted_add(struct unlisted *u, const char *db, const char *rp, const char *name,
                        uint64_t id)
{
    char *path;
    if (!array_grow(&u->folders, u->n) || asprintf(&path, "%s/%s/%s", db, rp, name) < 0)
        return -ENOMEM;
    u->folders[u->n++] = (struct unlisted_folder){path, id};
    return 0;
}

/* What is gone, or cannot be read, has nothing. */
static int unlisted_list(const struct capture_parts *p, const char *path, struct dir *out)
{
    struct folder_seen seen;
    autoclose int fd = folder_open(p->data_fd, path, FOLLOW_NONE, &seen);
    int r = fd < 0 ? fd : dir_read(fd, out);
    return r == -ENOMEM || r == -EMFILE || r == -ENFILE ? r : 0;
}

static bool may_be_folder(const struct dir *list, size_t i)
{
    const unsigned char type = dir_type(list, i);
    return type == DT_DIR || type == DT_UNKNOWN;
}

static int unlisted_in_policy(struct unlisted *u, const struct capture_parts *p, const char *db,
                              const char *rp)
{
    char path[PATH_MAX];
    cleanup(dir_free) struct dir list = {0};
    if (snprintf(path, sizeof(path), "%s/%s", db, rp) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int r = unlisted_list(p, path, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        const char *name = list.names[i];
        uint64_t id;
        if (!may_be_folder(&list, i) && dir_type(&list, i) != DT_LNK)
            continue;
        if (name_is_shard(name, &id) ? meta_shard(p->meta, db, rp, id) == META_UNKNOWN
                                     : name_is_padded_shard(name, &id))
            r = unlisted_add(u, db, rp, name, id);
    }
    return r;
}

static int unlisted_in_database(struct unlisted *u, const struct capture_parts *p, const char *db)
{
    cleanup(dir_free) struct dir list = {0};
    int r = unlisted_list(p, db, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++)
        if (may_be_folder(&list, i) && !name_is_series(list.names[i]))
            r = unlisted_in_policy(u, p, db, list.names[i]);
    return r;
}

static int unlisted_find(struct unlisted *u, const struct capture_parts *p)
{
    cleanup(dir_free) struct dir list = {0};
    if (u->seen_ns && time_mono_ns() - u->seen_ns < UNLISTED_LASTS_NS)
        return 0;
    unlisted_forget(u);
    int r = unlisted_list(p, "", &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        if (p->wait && window_interrupted(p->wait))
            r = -EINTR;
        else if (may_be_folder(&list, i) && !name_is_hidden(list.names[i]))
            r = unlisted_in_database(u, p, list.names[i]);
    }
    if (r == 0)
        u->seen_ns = time_mono_ns();
    return r;
}

/* Whether live shard k is in the part. */
static bool unlisted_takes(const struct capture_parts *p, size_t k)
{
    const char *db, *rp;
    uint64_t id;
    char path[PATH_MAX];
    meta_live_shard_at(p->meta, k, &db, &rp, &id);
    snprintf(path, sizeof(path), "%s/%s/%" PRIu64, db, rp, id);
    return window_part_has(p->part, db) && window_part_has(p->part, path);
}

static int unlisted_judge_one(const struct unlisted_folder *f, const struct capture_parts *p,
                              struct err *e)
{
    for (size_t k = 0; k < meta_live_shards(p->meta); k++) {
        const char *db, *rp;
        uint64_t id;
        enum place_kind kind;
        size_t len;
        meta_live_shard_at(p->meta, k, &db, &rp, &id);
        if (id != f->id || !unlisted_takes(p, k))
            continue;
        if (place_look(p->data_fd, f->path, &kind, &len) == 0 && kind != PLACE_FOLDER &&
            kind != PLACE_LINK)
            return 0; /* it has gone since, or is a file */
        return unlisted_shares_id(p->meta, k, f->path, e);
    }
    return 0;
}

int unlisted_judge(struct unlisted *u, const struct capture_parts *p, struct err *e)
{
    int r = unlisted_find(u, p);
    if (r == -EMFILE || r == -ENFILE)
        return held_no_more("the data folder", e);
    if (r == -EINTR)
        return err_set(e, r, "interrupted");
    for (size_t i = 0; r == 0 && i < u->n; i++)
        r = unlisted_judge_one(&u->folders[i], p, e);
    return r;
}
