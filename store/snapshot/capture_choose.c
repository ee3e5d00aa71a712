/* SPDX-License-Identifier: MIT */
/* Chooses the part of a window to capture. The rule: everything that meta.db lists and influxd
 * serves is in it, or there is no capture; everything else in the folders is reported. */
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/snapshot/pinned.h"
#include "store/snapshot/unlisted.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Unreadable folders: those of a listed database may hold shards that influxd serves. */
static int choose_judge_closed(const struct capture_parts *p, struct omissions *left_out,
                               struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < p->window.nclosed; i++) {
        const struct window_closed *c = &p->window.closed[i];
        autofree char *db = strndup(c->path, strcspn(c->path, "/")), *name = NULL;
        if (!db || asprintf(&name, "%s/%s", c->in_wal ? "wal" : "data", c->path) < 0)
            return -ENOMEM;
        const char *rp = strchr(c->path, '/');
        bool below = rp && !strchr(rp + 1, '/') && name_is_foreign(rp + 1) &&
                     !meta_has_policy(p->meta, db, rp + 1);
        if (meta_has_database(p->meta, db) && !below) {
            err_sys(e, c->code, "%s: belongs to a database, and cannot be read", name);
            return -EIO;
        }
        bool foreign = below || (!rp && name_is_foreign(c->path));
        r = omissions_add(left_out, name, 0, 0, foreign ? OMITTED_FOREIGN : OMITTED_UNREADABLE);
    }
    return r;
}

/* An unlisted shard has the id of a listed one: influxd keeps shards by id, and would serve, and
 * write to, the wrong one. */
static int choose_judge_id(const struct capture_parts *p, const struct shard_pin *s, struct err *e)
{
    for (size_t i = 0; i < meta_live_shards(p->meta); i++) {
        const char *db, *rp;
        uint64_t id;
        meta_live_shard_at(p->meta, i, &db, &rp, &id);
        if (id == s->id)
            return unlisted_shares_id(p->meta, i, s->path, e);
    }
    return 0;
}

/* An unlisted shard. If it has vanished since, it was dropped. */
static int choose_leave_out(const struct capture_parts *p, const struct shard_pin *s,
                            struct omissions *left_out, struct err *e)
{
    enum place_kind kind = PLACE_FOLDER;
    uint64_t files = 0, bytes = 0;
    size_t len;
    if (place_look(p->data_fd, s->path, &kind, &len) == 0 && kind == PLACE_NOTHING)
        return 0;
    int r = choose_judge_id(p, s, e);
    if (s->set && s->set->run->holds == RUN_KNOWN) {
        files = s->set->run->nfiles;
        bytes = s->set->run->bytes;
    }
    for (size_t i = 0; s->set && i < s->set->n; i++, files++)
        bytes += s->set->files[i].attr.size;
    for (size_t i = 0; s->set && i < s->set->nbad; i++, files++)
        bytes += s->set->bad[i].size;
    for (size_t i = 0; i < s->nsegments; i++, files++)
        bytes += s->segments[i].attr.size;
    /* Writes during the drop of a database make influxd leave empty folders. */
    return r < 0 || (!bytes && !s->why)
               ? r
               : omissions_add(left_out, s->path, files, bytes, OMITTED_UNKNOWN);
}

static int leave_out_bad(const struct shard_pin *s, struct omissions *left_out)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->set->nbad; i++) {
        autofree char *name = NULL;
        if (asprintf(&name, "data/%s/%s", s->path, s->set->bad[i].name) < 0)
            return -ENOMEM;
        r = omissions_add(left_out, name, 1, s->set->bad[i].size, OMITTED_BAD);
    }
    return r;
}

/* Judges each shard of the window; found[] says which listed ones have a folder. */
static int choose_judge_shards(const struct capture_parts *p, bool *chosen, bool *found,
                               struct omissions *left_out, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < p->window.nshards; i++) {
        const struct shard_pin *s = &p->window.shards[i];
        autofree char *db = NULL, *rp = NULL;
        size_t k;
        if (s->gone)
            continue;
        if ((r = shard_pin_names(s, &db, &rp)) < 0)
            return r;
        chosen[i] = meta_shard(p->meta, db, rp, s->id) != META_UNKNOWN;
        if (meta_live_find(p->meta, db, rp, s->id, &k))
            found[k] = true;
        if (!chosen[i])
            r = choose_leave_out(p, s, left_out, e);
        else if (s->why)
            r = err_set(e, -EIO, "%s", s->why);
        else
            r = leave_out_bad(s, left_out);
    }
    return r;
}

#define SETTLED_NS (60 * SECOND_NS)

/* The bytes of WAL segments in a folder without a data folder, and whether it has existed for a
 * while: influxd makes it first, and on a slow disk the data folder some time later. */
static int choose_wal_bytes(int wal_fd, const char *path, uint64_t *bytes, bool *settled)
{
    *bytes = 0;
    *settled = false;
    autoclose int fd =
        wal_fd < 0 ? -ENOENT : openat(wal_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return wal_fd < 0 || errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    cleanup(dir_free) struct dir list = {0};
    struct stat folder;
    int r = fstat(fd, &folder) < 0 ? -errno : dir_read(fd, &list);
    *settled = r == 0 && time_wall_ns() - time_from_spec(&folder.st_mtim) > SETTLED_NS;
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        struct stat st;
        if (name_is_wal(list.names[i]) && fstatat(fd, list.names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
            *bytes += (uint64_t)st.st_size;
    }
    return r;
}

/* A listed shard that is not in the window. That is right if nothing has its name, since influxd
 * makes both folders with the first point, and removes both. Shards made since the walk only have
 * later points. */
static int choose_judge_absent(const struct capture_parts *p, const char *path, struct err *e)
{
    enum place_kind kind;
    uint64_t bytes;
    size_t len = 0;
    bool settled;
    int r = choose_wal_bytes(p->wal_fd, path, &bytes, &settled);
    if (r < 0) {
        err_sys(e, r, "wal/%s", path);
        return -EIO;
    }
    if ((r = place_look(p->data_fd, path, &kind, &len)) < 0) {
        err_sys(e, r, "data/%.*s", (int)len, path);
        return -EIO;
    }
    if (kind == PLACE_FOLDER)
        return 0;
    if (kind == PLACE_LINK && path[len])
        return err_set(e, -EIO,
                       "data/%.*s: is a symbolic link, which influxd 1.x does not follow, although "
                       "meta.db lists shards in it: use a mount, or link single shards",
                       (int)len, path);
    if (kind != PLACE_NOTHING)
        return err_set(e, -EIO, "data/%.*s: meta.db lists %s, but it is not a folder", (int)len,
                       path, path[len] ? "shards in it" : "it as a shard");
    if (bytes == 0 && !settled)
        return 0;
    return err_set(
        e, CAPTURE_DROPPING,
        "data/%s: meta.db lists this shard, its WAL folder is there with %" PRIu64
        " bytes, and data/%.*s is missing, so that influxd would ignore them: is its disk mounted? "
        "If it was dropped, remove wal/%s",
        path, bytes, (int)len, path, path);
}

static int choose_judge_all_absent(const struct capture_parts *p, const bool *found, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < meta_live_shards(p->meta); i++) {
        const char *db, *rp;
        uint64_t id;
        char path[PATH_MAX];
        if (found[i])
            continue;
        meta_live_shard_at(p->meta, i, &db, &rp, &id);
        if (!window_part_has(p->part, db))
            continue;
        if (snprintf(path, sizeof(path), "%s/%s/%" PRIu64, db, rp, id) >= (int)sizeof(path))
            return -ENAMETOOLONG;
        if (window_part_has(p->part, path))
            r = choose_judge_absent(p, path, e);
    }
    return r;
}

static bool holds_data(const struct window *w)
{
    for (size_t i = 0; i < w->nshards; i++)
        if ((w->shards[i].set && (w->shards[i].set->n || w->shards[i].set->run->nfiles)) ||
            w->shards[i].nsegments)
            return true;
    return false;
}

/* Whether any database that has listed shards has a folder: then the disk is mounted, and the
 * shards are only empty still or again. */
static bool databases_are_there(const struct capture_parts *p)
{
    for (size_t i = 0; i < meta_live_shards(p->meta); i++) {
        const char *db, *rp;
        uint64_t id;
        struct stat st;
        meta_live_shard_at(p->meta, i, &db, &rp, &id);
        if (io_stat_beneath(p->data_fd, db, &st) == 0 && S_ISDIR(st.st_mode))
            return true;
    }
    return false;
}

/* An unmounted disk or a lost meta.db must never pass for an empty store. */
static int choose_refuse_empty(const struct capture_parts *p, const bool *chosen, struct err *e)
{
    size_t live = meta_live_shards(p->meta), here = 0;
    for (size_t i = 0; i < p->window.nshards; i++)
        here += chosen[i];
    const bool elsewhere = here == 0 && live > 0 && databases_are_there(p);
    if (live > 0 && here == 0 && !elsewhere)
        return err_set(e, -EIO,
                       "meta.db lists %zu shards, and the data folder holds none of them: is its "
                       "disk mounted?",
                       live);
    if (here == 0 && holds_data(&p->window) && !(p->part && elsewhere))
        return err_set(e, -EIO,
                       "the data folder holds %zu shards, and meta.db knows none of them: is it "
                       "the metastore of this store? If it is lost, see influxsnap rebuild-meta",
                       p->window.nshards);
    return 0;
}

int capture_choose(const struct capture_parts *p, bool *chosen, struct omissions *left_out,
                   struct err *e)
{
    autofree bool *found = calloc(meta_live_shards(p->meta) + 1, sizeof(*found));
    if (!found)
        return -ENOMEM;
    int r = choose_judge_closed(p, left_out, e);
    if (r == 0)
        r = choose_judge_shards(p, chosen, found, left_out, e);
    if (r == 0)
        r = choose_judge_all_absent(p, found, e);
    if (r == 0 && p->part)
        r = unlisted_judge(p->unlisted, p, e);
    return r < 0 ? r : choose_refuse_empty(p, chosen, e);
}

int capture_proportion(const struct capture *c, bool allowed, struct err *e)
{
    uint64_t kept = 0, gone = omissions_bytes(c->left_out);
    char line[400];
    for (size_t i = 0; i < c->nruns; i++)
        kept += c->runs[i]->bytes;
    if (allowed || gone <= kept)
        return 0;
    omissions_say(c->left_out, line, sizeof(line));
    return err_set(e, -EIO,
                   "more would be left out than kept (%" PRIu64
                   " bytes): is it the metastore of this store? --allow-left-out "
                   "(of a mount: allow_left_out) takes it as it is; %s",
                   kept, line);
}
