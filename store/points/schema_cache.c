/* SPDX-License-Identifier: MIT */
#include "store/points/schema_cache_internal.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct shard_schema *shard_schema_ref(struct shard_schema *f)
{
    atomic_fetch_add(&f->refs, 1);
    return f;
}

static bool same_member(const struct capture *a, size_t i, const struct capture *b, size_t k)
{
    if (i == MEMBER_NONE || k == MEMBER_NONE)
        return i == k;
    const struct member *m = capture_member(a, i), *n = capture_member(b, k);
    return m->index == n->index && m->attr.size == n->attr.size &&
           m->attr.mtime_ns == n->attr.mtime_ns && strcmp(m->name, n->name) == 0;
}

static bool same_shard(const struct schema_cache *a, const struct shard_files *s,
                       const struct schema_cache *b, const struct shard_files *t)
{
    bool same = s->ntsm == t->ntsm && s->nwal == t->nwal;
    for (size_t i = 0; same && i < s->ntsm; i++)
        same = same_member(a->capture, s->tsm[i].tsm, b->capture, t->tsm[i].tsm) &&
               same_member(a->capture, s->tsm[i].tombstone, b->capture, t->tsm[i].tombstone);
    for (size_t i = 0; same && i < s->nwal; i++)
        same = same_member(a->capture, s->wal[i], b->capture, t->wal[i]);
    return same;
}

/* Both lists have the same order, except for new or removed shards. */
static void cache_take_over(struct schema_cache *c, struct schema_cache *before)
{
    size_t k = 0, n = shards_count(before->shards);
    pthread_mutex_lock(&before->lock);
    for (size_t i = 0; i < shards_count(c->shards); i++) {
        const struct shard_files *s = shards_at(c->shards, i);
        while (k < n && shards_compare(shards_at(before->shards, k), s) < 0)
            k++;
        if (k < n && shards_compare(shards_at(before->shards, k), s) == 0 &&
            before->cached[k].schema && same_shard(c, s, before, shards_at(before->shards, k)))
            c->cached[i].schema = shard_schema_ref(before->cached[k].schema);
    }
    pthread_mutex_unlock(&before->lock);
}

int schema_cache_open(struct capture *c, struct catalog *k, struct schema_cache *before,
                      struct schema_cache **out, struct err *e)
{
    struct schema_cache *t = calloc(1, sizeof(*t));
    if (!t)
        return no_memory(e);
    atomic_init(&t->refs, 1);
    pthread_mutex_init(&t->lock, NULL);
    t->capture = capture_ref(c);
    t->catalog = k;
    int r = shards_open(c, &t->shards, e);
    if (r == 0 && !(t->cached = calloc(shards_count(t->shards) + 1, sizeof(*t->cached))))
        r = no_memory(e);
    if (r < 0) {
        schema_cache_unref(t);
        return r;
    }
    if (before)
        cache_take_over(t, before);
    *out = t;
    return 0;
}

void schema_cache_allow_damage(struct schema_cache *c)
{
    c->allow_damage = true;
}

int schema_cache_live(struct schema_cache *c, const char *data)
{
    c->data = strdup(data);
    return c->data ? 0 : -ENOMEM;
}

struct schema_cache *schema_cache_ref(struct schema_cache *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void schema_cache_unref(struct schema_cache *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    for (size_t i = 0; c->cached && i < shards_count(c->shards); i++) {
        free(c->cached[i].why);
        schema_free(c->cached[i].live);
        shard_schema_unref(c->cached[i].schema);
    }
    for (struct cached_database *s; (s = c->databases);) {
        c->databases = s->next;
        schema_free(s->schema);
        free(s);
    }
    schema_cache_forget(c);
    free(c->cached);
    free(c->data);
    shards_free(c->shards);
    capture_unref(c->capture);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool schema_cache_used(const struct schema_cache *c)
{
    return atomic_load(&((struct schema_cache *)c)->refs) > 1;
}

struct capture *schema_cache_capture(const struct schema_cache *c)
{
    return c->capture;
}

struct catalog *schema_cache_catalog(const struct schema_cache *c)
{
    return c->catalog;
}

const struct shards *schema_cache_shards(const struct schema_cache *c)
{
    return c->shards;
}

/* A reference to a shard's recent data. */
static int cache_look_into(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                           struct shard_schema **out, struct err *e)
{
    int r = schema_cache_lock(c, reader, e);
    if (r < 0)
        return r;
    r = schema_cache_find(c, i, i + 1, reader, e);
    const struct cached_shard *l = &c->cached[i];
    if (r == 0 && l->error < 0)
        r = err_set(e, l->error, "%s", l->why);
    if (r == 0)
        *out = shard_schema_ref(l->schema);
    pthread_mutex_unlock(&c->lock);
    return r;
}

static int cache_schema(struct schema_cache *c, size_t i, const struct slice *measurement,
                        const struct tarball_reader *reader, struct schema **out, struct err *e)
{
    cleanup(schema_freep) struct schema *o = schema_new();
    struct shard_schema *s = NULL;
    int r = o ? cache_look_into(c, i, reader, &s, e) : no_memory(e);
    if (r < 0)
        return r;
    r = measurement ? schema_unpack_one(o, s->packed, s->n, *measurement)
                    : schema_unpack(o, s->packed, s->n);
    shard_schema_unref(s);
    if (r < 0)
        return no_memory(e);
    *out = steal_ptr(&o);
    return 0;
}

int schema_cache_shard(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                       struct schema **out, struct err *e)
{
    return cache_schema(c, i, NULL, reader, out, e);
}

int schema_cache_measurement(struct schema_cache *c, size_t i, struct slice measurement,
                             const struct tarball_reader *reader, struct schema **out,
                             struct err *e)
{
    return cache_schema(c, i, &measurement, reader, out, e);
}

/* Called with the lock. */
static int cache_read_live(struct schema_cache *c, size_t i)
{
    const struct shard_files *sh = shards_at(c->shards, i);
    autofree char *folder = NULL;
    if (c->cached[i].live)
        return 0;
    cleanup(schema_freep) struct schema *o = schema_new();
    if (!o || asprintf(&folder, "%s/%s/%s/%" PRIu64, c->data, sh->db, sh->rp, sh->id) < 0 ||
        schema_add_live(o, folder) < 0)
        return -ENOMEM;
    c->cached[i].live = steal_ptr(&o);
    return 0;
}

int schema_cache_live_fields(struct schema_cache *c, size_t i, struct slice measurement,
                             const struct tarball_reader *reader, struct schema *o, struct err *e)
{
    int r = c->data ? schema_cache_lock(c, reader, e) : 0;
    if (!c->data || r < 0)
        return r;
    if (cache_read_live(c, i) < 0 || schema_add_one(o, c->cached[i].live, measurement) < 0)
        r = no_memory(e);
    pthread_mutex_unlock(&c->lock);
    return r;
}
