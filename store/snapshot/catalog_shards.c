/* SPDX-License-Identifier: MIT */
/* By what a shard's files are known to be the same as before without listing them: the times of their
 * folder, a digest, and the change counter when that last became another. */
#include "store/base/arena.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/snapshot/catalog_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BASES_MAX 4096

/* The value is the struct with its path left out. */
#define SHARD_BYTES (sizeof(struct catalog_shard) - offsetof(struct catalog_shard, dev))

static int shards_get(struct catalog *c, const char *path, struct catalog_shard *out)
{
    char buf[CATALOG_KEY_MAX];
    MDB_val k = catalog_key(path, buf), v;
    int rc = mdb_get(c->txn, c->shards, &k, &v);
    if (rc)
        return rc;
    if (v.mv_size != SHARD_BYTES)
        return MDB_NOTFOUND; /* of another version */
    memcpy(&out->dev, v.mv_data, SHARD_BYTES);
    out->path = path;
    return 0;
}

/* Whether the times of its folder tell the same, whenever it was looked at. */
static bool shards_same(const struct catalog_shard *a, const struct catalog_shard *b)
{
    struct catalog_shard x = *a;
    x.path = b->path;
    x.seen_ns = b->seen_ns;
    x.changed = b->changed;
    return memcmp(&x, b, sizeof(x)) == 0;
}

static int shards_put_one(struct catalog *c, const struct catalog_shard *given, uint64_t index)
{
    struct catalog_shard s = *given, before;
    char buf[CATALOG_KEY_MAX];
    MDB_val k = catalog_key(s.path, buf), v = {SHARD_BYTES, &s.dev};
    int rc = shards_get(c, s.path, &before);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    const bool known = rc == 0;
    s.changed =
        known && memcmp(before.digest, s.digest, SHA256_BYTES) == 0 ? before.changed : index;
    /* A look that came so soon after a change that it is not trusted is replaced by a later one. */
    if (known && shards_same(&before, &s) &&
        before.seen_ns - before.mtime_ns > CATALOG_SEEN_WELL_NS)
        return 0;
    c->unsaved++;
    return mdb_put(c->txn, c->shards, &k, &v, 0);
}

/* Another process may have settled a later look before this one. The counter of this state is above
 * what that gave, so it would say that the state has what that look has found. */
static int shards_doubt_one(struct catalog *c, const struct catalog_folder *f)
{
    struct catalog_shard now;
    const char *shard = f->path + strlen("data/");
    char buf[CATALOG_KEY_MAX];
    MDB_val k = catalog_key(shard, buf);
    int rc = shards_get(c, shard, &now);
    if (rc == 0 && memcmp(now.digest, f->digest, SHA256_BYTES) != 0) {
        rc = mdb_del(c->txn, c->shards, &k, NULL);
        c->unsaved++;
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

struct names {
    MDB_val *at;
    size_t n;
    struct arena memory;
};

static void names_clear(struct names *l)
{
    free(l->at);
    arena_free(&l->memory);
}

/* The shards that have a folder of data now, as keys. */
static int shards_named(const struct catalog_shape *shape, struct names *l)
{
    for (size_t i = 0; i < shape->nfolders; i++) {
        char buf[CATALOG_KEY_MAX];
        if (strncmp(shape->folders[i].path, "data/", 5) != 0)
            continue;
        const MDB_val k = catalog_key(shape->folders[i].path + 5, buf);
        char *own = arena_text(&l->memory, k.mv_data, k.mv_size);
        if (!own || !array_grow(&l->at, l->n))
            return ENOMEM;
        l->at[l->n++] = (MDB_val){k.mv_size, own};
    }
    if (l->n)
        qsort(l->at, l->n, sizeof(*l->at), catalog_key_cmp);
    return 0;
}

static int shards_forget_others(struct catalog *c, const struct catalog_shape *shape)
{
    cleanup(names_clear) struct names l = {0};
    MDB_cursor *cursor;
    MDB_val k, v;
    int rc = shards_named(shape, &l);
    if (rc == 0)
        rc = mdb_cursor_open(c->txn, c->shards, &cursor);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
        if (!(l.n && bsearch(&k, l.at, l.n, sizeof(*l.at), catalog_key_cmp)) &&
            (rc = mdb_cursor_del(cursor, 0)))
            break;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int catalog_put_shards(struct catalog *c, const struct catalog_shape *shape, uint64_t index,
                       bool all)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && shape && i < shape->nfolders; i++)
        if (shape->folders[i].digest)
            rc = shards_doubt_one(c, &shape->folders[i]);
    for (size_t i = 0; rc == 0 && shape && i < shape->nshards; i++) {
        struct catalog_shard s;
        memset(&s, 0, sizeof(s));
        if (shape->shard(shape->ctx, i, &s))
            rc = shards_put_one(c, &s, index);
        if (rc == 0 && catalog_needs_rest(c))
            rc = catalog_rest(c);
    }
    return rc || !shape || !all ? rc : shards_forget_others(c, shape);
}

int catalog_forget_shard(struct catalog *c, const char *path)
{
    char buf[CATALOG_KEY_MAX];
    const char *first = strchr(path, '/'), *last = strrchr(path, '/');
    if (!first || last == first)
        return 0;
    cleanup(arena_free) struct arena memory = {0};
    const char *shard = arena_text(&memory, first + 1, (size_t)(last - first - 1));
    if (!shard)
        return ENOMEM;
    MDB_val k = catalog_key(shard, buf);
    int rc = mdb_del(c->txn, c->shards, &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

struct shards_job {
    struct catalog_shard *shards;
    size_t n;
};

static int shards_get_all(struct catalog *c, void *arg)
{
    const struct shards_job *job = arg;
    for (size_t i = 0; i < job->n; i++) {
        const char *path = job->shards[i].path;
        int rc = shards_get(c, path, &job->shards[i]);
        if (rc == MDB_NOTFOUND)
            job->shards[i] = (struct catalog_shard){.path = path};
        else if (rc)
            return rc;
    }
    return 0;
}

int catalog_get_shards(struct catalog *c, struct catalog_shard *shards, size_t n, struct err *e)
{
    return catalog_run(c, shards_get_all, &(struct shards_job){shards, n}, e);
}

struct bases_job {
    const char *id;
    struct catalog_base value;
    bool found;
};

static int bases_get(struct catalog *c, void *arg)
{
    struct bases_job *job = arg;
    MDB_val k = {strlen(job->id), (void *)job->id}, v;
    int rc = mdb_get(c->txn, c->bases, &k, &v);
    job->found = rc == 0 && v.mv_size == sizeof(job->value);
    if (job->found)
        memcpy(&job->value, v.mv_data, sizeof(job->value));
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int bases_put(struct catalog *c, void *arg)
{
    struct bases_job *job = arg;
    MDB_val k = {strlen(job->id), (void *)job->id}, v = {sizeof(job->value), &job->value};
    MDB_stat stat;
    int rc = mdb_stat(c->txn, c->bases, &stat);
    if (rc == 0 && stat.ms_entries >= BASES_MAX)
        rc = mdb_drop(c->txn, c->bases, 0);
    return rc ? rc : mdb_put(c->txn, c->bases, &k, &v, 0);
}

int catalog_get_base(struct catalog *c, const char *id, struct catalog_base *out, struct err *e)
{
    struct bases_job job = {.id = id};
    int r = catalog_run(c, bases_get, &job, e);
    if (r == 0)
        *out = job.value;
    return r < 0 || job.found ? r : -ENOENT;
}

int catalog_put_base(struct catalog *c, const char *id, const struct catalog_base *base,
                     struct err *e)
{
    return catalog_run(c, bases_put, &(struct bases_job){.id = id, .value = *base}, e);
}
