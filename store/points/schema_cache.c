/* SPDX-License-Identifier: MIT */
#include "store/points/schema_cache_internal.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/points/image.h"
#include "store/points/livefields.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* How often a waiter asks whether it was interrupted. */
#define ASK_NS ((int64_t)100000000)

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the contents of the store");
}

static struct found *found_ref(struct found *f)
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

/* Both lists are in the same order, but for shards that have come or gone. */
static void take_over(struct schema_cache *c, struct schema_cache *before)
{
    size_t k = 0, n = shards_count(before->shards);
    pthread_mutex_lock(&before->lock);
    for (size_t i = 0; i < shards_count(c->shards); i++) {
        const struct shard_files *s = shards_at(c->shards, i);
        while (k < n && shards_compare(shards_at(before->shards, k), s) < 0)
            k++;
        if (k < n && shards_compare(shards_at(before->shards, k), s) == 0 &&
            before->looked[k].found && same_shard(c, s, before, shards_at(before->shards, k)))
            c->looked[i].found = found_ref(before->looked[k].found);
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
    if (r == 0 && !(t->looked = calloc(shards_count(t->shards) + 1, sizeof(*t->looked))))
        r = no_memory(e);
    if (r < 0) {
        schema_cache_unref(t);
        return r;
    }
    if (before)
        take_over(t, before);
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
    for (size_t i = 0; c->looked && i < shards_count(c->shards); i++) {
        free(c->looked[i].why);
        schema_free(c->looked[i].live);
        found_unref(c->looked[i].found);
    }
    for (struct shared *s; (s = c->shared);) {
        c->shared = s->next;
        schema_free(s->schema);
        free(s);
    }
    for (size_t i = 0; i < c->nimages; i++)
        image_unref(c->images[i].image);
    free(c->looked);
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

bool schema_cache_has(const struct schema_cache *c, const char *db, const char *rp)
{
    return meta_has_policy(shards_meta(c->shards), db, rp);
}

/* The shards [*first, *end) of a database, and of one policy unless rp is NULL. */
static void range_of(const struct schema_cache *c, const char *db, const char *rp, size_t *first,
                     size_t *end)
{
    size_t n = shards_count(c->shards);
    for (*first = 0; *first < n; ++*first) {
        const struct shard_files *sh = shards_at(c->shards, *first);
        if (strcmp(sh->db, db) == 0 && (!rp || strcmp(sh->rp, rp) == 0))
            break;
    }
    for (*end = *first; *end < n; ++*end) {
        const struct shard_files *sh = shards_at(c->shards, *end);
        if (strcmp(sh->db, db) != 0 || (rp && strcmp(sh->rp, rp) != 0))
            break;
    }
}

int schema_cache_range(const struct schema_cache *c, const char *db, const char *rp, int64_t from,
                       int64_t to, size_t **out, size_t *n, struct err *e)
{
    size_t first, end;
    if (!schema_cache_has(c, db, rp))
        return err_set(e, -ENOENT, "no database %s with a policy %s", db, rp);
    range_of(c, db, rp, &first, &end);
    size_t *list = calloc(end - first + 1, sizeof(*list));
    if (!list)
        return no_memory(e);
    *n = 0;
    for (size_t i = first; from < to && i < end; i++)
        if (shards_at(c->shards, i)->start < to && shards_at(c->shards, i)->end > from)
            list[(*n)++] = i;
    *out = list;
    return 0;
}

static int unpack(const struct found *f, struct schema *o, struct err *e)
{
    return schema_unpack(o, f->packed, f->n) < 0 ? no_memory(e) : 0;
}

/* Another thread may be looking into many shards. */
static int lock(struct schema_cache *c, const struct tarball_reader *reader, struct err *e)
{
    for (;;) {
        struct timespec until;
        int64_t at = io_mono_ns() + ASK_NS;
        until = (struct timespec){at / 1000000000, at % 1000000000};
        int r = pthread_mutex_clocklock(&c->lock, CLOCK_MONOTONIC, &until);
        if (r != ETIMEDOUT)
            return -r;
        if (reader_interrupted(reader))
            return err_set(e, -EINTR, "interrupted");
    }
}

/* What is found of a shard, as a reference. */
static int look_into(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                     struct found **out, struct err *e)
{
    int r = lock(c, reader, e);
    if (r < 0)
        return r;
    r = schema_cache_find(c, i, i + 1, reader, e);
    const struct looked *l = &c->looked[i];
    if (r == 0 && l->error < 0)
        r = err_set(e, l->error, "%s", l->why);
    if (r == 0)
        *out = found_ref(l->found);
    pthread_mutex_unlock(&c->lock);
    return r;
}

static int schema_of(struct schema_cache *c, size_t i, const struct slice *measurement,
                     const struct tarball_reader *reader, struct schema **out, struct err *e)
{
    cleanup(schema_freep) struct schema *o = schema_new();
    struct found *f = NULL;
    int r = o ? look_into(c, i, reader, &f, e) : no_memory(e);
    if (r < 0)
        return r;
    if (!measurement)
        r = unpack(f, o, e);
    else if (schema_unpack_one(o, f->packed, f->n, *measurement) < 0)
        r = no_memory(e);
    found_unref(f);
    if (r == 0)
        *out = steal_ptr(&o);
    return r;
}

int schema_cache_shard(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                       struct schema **out, struct err *e)
{
    return schema_of(c, i, NULL, reader, out, e);
}

int schema_cache_measurement(struct schema_cache *c, size_t i, struct slice measurement,
                             const struct tarball_reader *reader, struct schema **out,
                             struct err *e)
{
    return schema_of(c, i, &measurement, reader, out, e);
}

/* Called with the lock. */
static int read_live(struct schema_cache *c, size_t i)
{
    const struct shard_files *sh = shards_at(c->shards, i);
    autofree char *folder = NULL;
    if (c->looked[i].live)
        return 0;
    cleanup(schema_freep) struct schema *o = schema_new();
    if (!o || asprintf(&folder, "%s/%s/%s/%" PRIu64, c->data, sh->db, sh->rp, sh->id) < 0 ||
        livefields_read(folder, o) < 0)
        return -ENOMEM;
    c->looked[i].live = steal_ptr(&o);
    return 0;
}

int schema_cache_live_fields(struct schema_cache *c, size_t i, struct slice measurement,
                             const struct tarball_reader *reader, struct schema *o, struct err *e)
{
    int r = c->data ? lock(c, reader, e) : 0;
    if (!c->data || r < 0)
        return r;
    if (read_live(c, i) < 0 || schema_add_one(o, c->looked[i].live, measurement) < 0)
        r = no_memory(e);
    pthread_mutex_unlock(&c->lock);
    return r;
}

/* Moves the shard to the front of the images; false: it was not there. */
static bool move_to_front(struct schema_cache *c, size_t shard)
{
    size_t at = 0;
    while (at < c->nimages && c->images[at].shard != shard)
        at++;
    bool there = at < c->nimages;
    struct kept_image one = there ? c->images[at] : (struct kept_image){.shard = shard};
    if (!there && c->nimages < IMAGES)
        c->nimages++;
    else if (!there)
        image_unref(c->images[--at].image);
    memmove(&c->images[1], &c->images[0], at * sizeof(c->images[0]));
    c->images[0] = one;
    return there;
}

int schema_cache_image(struct schema_cache *c, size_t i, const struct tarball_reader *reader,
                       struct image **out, struct err *e)
{
    int r = lock(c, reader, e);
    *out = NULL;
    if (r < 0)
        return r;
    struct kept_image *k = &c->images[0];
    if (move_to_front(c, i) && !k->image && !k->damaged) {
        struct err why = {0};
        r = image_new(c->capture, shards_at(c->shards, i), reader, &k->image, &why);
        /* A measurement that the damage does not touch can be read all the same. */
        k->damaged = r == -EBADMSG;
        r = r == -EBADMSG ? 0 : r < 0 ? err_set(e, r, "%s", why.text) : 0;
    }
    if (k->image)
        *out = image_ref(k->image);
    pthread_mutex_unlock(&c->lock);
    return r;
}

static int share(struct schema_cache *c, const char *db, const struct tarball_reader *reader,
                 struct shared **out, struct err *e)
{
    cleanup(schema_freep) struct schema *o = schema_new();
    size_t first, end;
    range_of(c, db, NULL, &first, &end);
    int r = o ? schema_cache_find(c, first, end, reader, e) : no_memory(e);
    for (size_t i = first; r == 0 && i < end; i++) {
        const struct looked *l = &c->looked[i];
        if (shards_at(c->shards, i)->tsi1 || l->error == -EBADMSG)
            continue;
        r = l->error < 0 ? err_set(e, l->error, "%s", l->why) : unpack(l->found, o, e);
    }
    struct shared *s = r == 0 ? calloc(1, sizeof(*s)) : NULL;
    if (!s)
        return r < 0 ? r : no_memory(e);
    *s = (struct shared){.db = first < end ? shards_at(c->shards, first)->db : NULL,
                         .schema = steal_ptr(&o),
                         .next = c->shared};
    c->shared = *out = s;
    return 0;
}

int schema_cache_database(struct schema_cache *c, const char *db,
                          const struct tarball_reader *reader, const struct schema **out,
                          struct err *e)
{
    int r = lock(c, reader, e);
    if (r < 0)
        return r;
    struct shared *s = c->shared;
    while (s && !(s->db && strcmp(s->db, db) == 0))
        s = s->next;
    if (!s)
        r = share(c, db, reader, &s, e);
    if (r == 0)
        *out = s->schema;
    pthread_mutex_unlock(&c->lock);
    return r;
}

int schema_cache_policy(struct schema_cache *c, const char *db, const char *rp, int64_t from,
                        int64_t to, const struct tarball_reader *reader, struct schema **out,
                        struct err *e)
{
    cleanup(schema_freep) struct schema *o = schema_new();
    autofree size_t *list = NULL;
    size_t n = 0;
    int broken = 0;
    int r = o ? schema_cache_range(c, db, rp, from, to, &list, &n, e) : no_memory(e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        cleanup(schema_freep) struct schema *one = NULL;
        r = schema_cache_shard(c, list[i], reader, &one, e);
        if (r == 0 && schema_add(o, one) < 0)
            r = no_memory(e);
        if (r < 0 && r != -EINTR && r != -ENOMEM) {
            broken = r;
            r = 0;
        }
    }
    if (r < 0)
        return r;
    *out = steal_ptr(&o);
    return broken;
}

int schema_cache_days(struct schema_cache *c, const char *db, const char *rp, int64_t from,
                      int64_t to, const struct tarball_reader *reader, struct days *out,
                      struct err *e)
{
    autofree size_t *list = NULL;
    size_t n = 0;
    int broken = 0;
    int r = schema_cache_range(c, db, rp, from, to, &list, &n, e);
    if (r == 0)
        r = lock(c, reader, e);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < n; i++) {
        size_t end = i + 1;
        while (end < n && list[end] == list[end - 1] + 1)
            end++;
        r = schema_cache_find(c, list[i], list[end - 1] + 1, reader, e);
        i = end - 1;
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct looked *l = &c->looked[list[i]];
        if (l->error < 0)
            broken = err_set(e, l->error, "%s", l->why);
        for (size_t k = 0; r == 0 && l->found && k < l->found->days.n; k++)
            r = days_add(out, l->found->days.list[k]) < 0 ? no_memory(e) : 0;
    }
    pthread_mutex_unlock(&c->lock);
    return r < 0 ? r : broken;
}
