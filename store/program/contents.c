/* SPDX-License-Identifier: MIT */
#include "store/program/contents.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a folder holds. */
enum level { LEVEL_DATABASES, LEVEL_POLICIES, LEVEL_SHARDS, LEVEL_SHARD };

struct walk {
    struct report_contents *out;
    bool (*stopped)(void *arg);
    void *arg;
    bool in_wal;
    size_t sorted;                 /* policies that were there before the walk through the WAL */
    const char *path[LEVEL_SHARD]; /* the database, the policy and the shard at hand */
    struct report_policy *at;      /* of this policy; NULL: no shard was seen yet */
};

void contents_clear(struct report_contents *c)
{
    for (size_t i = 0; i < c->npolicies; i++) {
        free(c->policies[i].database);
        free(c->policies[i].policy);
    }
    free(c->policies);
    *c = (struct report_contents){0};
}

static int contents_add(struct report_contents *c, const struct report_policy *like)
{
    autofree char *database = strdup(like->database), *policy = strdup(like->policy);
    if (!database || !policy || !array_grow(&c->policies, c->npolicies))
        return -ENOMEM;
    struct report_policy *p = &c->policies[c->npolicies++];
    *p = *like;
    p->database = steal_ptr(&database);
    p->policy = steal_ptr(&policy);
    return 0;
}

uint64_t contents_bytes(const struct report_contents *c)
{
    uint64_t sum = c->meta_bytes;
    for (size_t i = 0; i < c->npolicies; i++)
        sum += c->policies[i].data_bytes + c->policies[i].wal_bytes;
    return c->known ? sum : 0;
}

uint64_t contents_files(const struct report_contents *c)
{
    uint64_t sum = 1; /* meta.db */
    for (size_t i = 0; i < c->npolicies; i++)
        sum += c->policies[i].files;
    return c->known && !c->absent ? sum : 0;
}

int contents_copy(const struct report_contents *from, struct report_contents *to)
{
    int r = 0;
    *to = *from;
    to->policies = NULL;
    to->npolicies = 0;
    for (size_t i = 0; r == 0 && i < from->npolicies; i++)
        r = contents_add(to, &from->policies[i]);
    return r;
}

static int by_name(const void *a, const void *b)
{
    const struct report_policy *x = a, *y = b;
    int r = strcmp(x->database, y->database);
    return r ? r : strcmp(x->policy, y->policy);
}

/* Makes w->at the policy at hand; both walks come to each policy once. */
static int contents_find(struct walk *w)
{
    struct report_contents *c = w->out;
    const struct report_policy key = {.database = (char *)w->path[0], .policy = (char *)w->path[1]};
    if (!w->at && w->sorted)
        w->at = bsearch(&key, c->policies, w->sorted, sizeof(key), by_name);
    if (w->at)
        return 0;
    int r = contents_add(c, &key);
    w->at = r == 0 ? &c->policies[c->npolicies - 1] : NULL;
    return r;
}

static bool is_counted(const struct walk *w, const char *name)
{
    return w->in_wal ? name_is_wal(name) : name_is_tsm(name) || name_is_tombstone(name);
}

static int contents_shard(struct walk *w, int fd)
{
    cleanup(dir_free) struct dir list = {0};
    int r = contents_find(w);
    if (r == 0)
        r = dir_read(fd, &list);
    if (r == 0)
        w->at->shards += !w->in_wal;
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        struct stat st;
        if (!is_counted(w, list.names[i]) ||
            fstatat(fd, list.names[i], &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
            continue; /* deleted meanwhile, or no file of influxd's */
        w->at->files++;
        *(w->in_wal ? &w->at->wal_bytes : &w->at->data_bytes) += (uint64_t)st.st_size;
    }
    return r;
}

static bool is_wanted(enum level level, const char *name)
{
    uint64_t id;
    return level == LEVEL_DATABASES  ? !name_is_hidden(name)
           : level == LEVEL_POLICIES ? !name_is_series(name)
                                     : name_is_shard(name, &id) || name_is_padded_shard(name, &id);
}

/* influxd follows a link in the place of a shard, and any link in the WAL. */
static int contents_open(const struct walk *w, int dir, const char *name, enum level level)
{
    int follow = w->in_wal || level == LEVEL_SHARDS ? 0 : O_NOFOLLOW;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow);
    return fd < 0 ? -errno : fd;
}

/* A folder that cannot be opened: it matters unless it is none, is gone, or is no database's. */
static int contents_closed(struct walk *w, enum level level, int r)
{
    char path[PATH_MAX] = "";
    if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP ||
        (level == LEVEL_DATABASES && name_is_foreign(w->path[0])))
        return 0;
    for (int i = 0; i <= (int)level; i++)
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s", w->path[i]);
    return err_sys(&w->out->unknown, r, "%s%s", w->in_wal ? "wal" : "data", path);
}

static int contents_walk(struct walk *w, int dir, enum level level)
{
    cleanup(dir_free) struct dir list = {0};
    if (w->stopped && w->stopped(w->arg))
        return -EINTR;
    if (level == LEVEL_SHARD)
        return contents_shard(w, dir);
    int r = dir_read(dir, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        if (!is_wanted(level, list.names[i]))
            continue;
        if (level < LEVEL_SHARDS)
            w->at = NULL;
        w->path[level] = list.names[i];
        autoclose int fd = contents_open(w, dir, list.names[i], level);
        r = fd < 0 ? contents_closed(w, level, fd) : contents_walk(w, fd, level + 1);
    }
    return r;
}

static int contents_tree(struct walk *w, const char *root, bool in_wal)
{
    autoclose int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        w->out->absent |= !in_wal;
        return 0;
    }
    if (fd < 0)
        return err_sys(&w->out->unknown, -errno, "%s", root);
    w->in_wal = in_wal;
    w->sorted = w->out->npolicies;
    return contents_walk(w, fd, LEVEL_DATABASES);
}

/* A part that is missing, or that is not what influxd left there. */
static int contents_lacks(struct report_contents *out, const char *what, const char *why)
{
    return err_set(&out->unknown, -ENODATA, "%s: %s; see whether its disk is mounted", what, why);
}

/* Whoever may not read meta.db is told its size; whether it is sound, others will see. */
static int contents_read_meta(const char *path, struct report_contents *out, struct meta **meta)
{
    autofree char *text = NULL;
    struct err why = {0};
    size_t len;
    int r = io_read_file(AT_FDCWD, path, META_DB_MAX, &text, &len);
    if (r == 0)
        r = meta_parse(text, len, meta, &why);
    if (r == -ENOMEM || r == -EACCES || r == -ENOENT)
        return r == -ENOMEM ? r : 0;
    return r < 0 ? err_set(&out->unknown, r, "%s: %s", path, why.text[0] ? why.text : strerror(-r))
                 : 0;
}

static int contents_meta(const char *folder, struct report_contents *out, struct meta **meta)
{
    struct stat st = {0};
    autofree char *path = path_join(folder, NAME_META_DB);
    if (!path)
        return -ENOMEM;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(&out->unknown, -errno, "%s", path);
    out->meta_bytes = (uint64_t)st.st_size;
    return contents_read_meta(path, out, meta);
}

/* Whether what is there fits together: an empty folder is where a disk is not mounted, too. */
static int contents_is_whole(const struct store_paths *p, const struct meta *meta,
                             struct report_contents *out)
{
    if (out->absent)
        return 0;
    if (!out->meta_bytes)
        return contents_lacks(out, p->meta, "there is no meta.db in it");
    if (!out->npolicies && meta && meta_live_shards(meta))
        return contents_lacks(out, p->data, "none of the shards that meta.db lists is in it");
    if (out->npolicies && access(p->wal, F_OK) < 0 && errno == ENOENT)
        return contents_lacks(out, p->wal, "No such file or directory");
    return 0;
}

int contents_look(const struct store_paths *p, bool (*stopped)(void *arg), void *arg,
                  struct report_contents *out)
{
    struct walk w = {.out = out, .stopped = stopped, .arg = arg};
    cleanup(meta_freep) struct meta *meta = NULL;
    *out = (struct report_contents){0};
    int r = contents_meta(p->meta, out, &meta);
    if (r == 0)
        r = contents_tree(&w, p->data, false);
    if (r == 0)
        r = contents_tree(&w, p->wal, true);
    if (r == 0)
        r = contents_is_whole(p, meta, out);
    if (r == -EINTR || r == -ENOMEM)
        return r;
    if (r < 0 && !out->unknown.text[0])
        err_sys(&out->unknown, r, "listing the store's folders");
    if (out->npolicies)
        qsort(out->policies, out->npolicies, sizeof(*out->policies), by_name);
    out->known = r == 0;
    out->missing = !store_is_there(p);
    return 0;
}

void contents_demand(struct report_contents *c, const struct store_paths *p)
{
    if (!c->missing || !c->known)
        return;
    c->known = false;
    store_is_gone(p, &c->unknown);
}
