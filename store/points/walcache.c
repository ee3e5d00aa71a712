/* SPDX-License-Identifier: MIT */
#include "store/points/walcache.h"

#include "store/base/cleanup.h"
#include "store/points/keypass.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct walcache {
    atomic_uint refs;
    struct keypass keys; /* grouped by series; a thing is a struct walcache_value */
    size_t left, replayed;
};

_Static_assert(sizeof(struct walcache_value) == sizeof(struct keypass_thing), "a value is a thing");

/* What a record takes, about, beside its key and values. */
#define RECORD_COST 32

/* A WAL while it is replayed. */
struct replay {
    const struct walcache_query *q;
    struct walcache *cache;
    struct keypass *keys;
    size_t steps;
    size_t segment;
    struct keypass_item *item; /* for the following values; NULL: they are skipped */
    bool strings, texts;       /* they are; and are wanted by this replay or another one */
    struct err *e;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the WAL");
}

struct walcache *walcache_ref(struct walcache *w)
{
    atomic_fetch_add(&w->refs, 1);
    return w;
}

void walcache_unref(struct walcache *w)
{
    if (!w || atomic_fetch_sub(&w->refs, 1) > 1)
        return;
    keypass_clear(&w->keys);
    free(w);
}

/* -EBADMSG if a key has no field, or the field has another type here. */
static int walcache_check_key(struct replay *r, struct slice key, size_t nseries,
                              enum value_type type, const struct keypass_item *n)
{
    const enum value_type before = n ? (enum value_type)n->type : type;
    if (n ? before == type : key.n > nseries + sizeof(SERIESKEY_SEPARATOR) - 1)
        return 0;
    autofree char *path = walreplay_path(&r->q->of, r->segment);
    if (!path)
        return no_memory(r->e);
    return shards_check_field(key, path, type, n && n->n > 0 ? &before : NULL, r->e);
}

/* Sets the key of the following values. */
static int walcache_take_key(struct replay *r, struct slice key, size_t nseries,
                             enum value_type type)
{
    struct keypass_item *n = keypass_find(r->keys, key);
    int rc = walcache_check_key(r, key, nseries, type, n);
    if (rc < 0)
        return rc;
    if (!n && !(n = keypass_add(r->keys, key, nseries)))
        return no_memory(r->e);
    n->type = (uint8_t)type;
    r->item = n;
    return 0;
}

static int walcache_on_key(void *ctx, const char *key, size_t len, enum value_type type,
                           size_t count)
{
    struct replay *r = ctx;
    const struct slice k = {key, len};
    struct slice series;
    char name[GAPS_NAME];
    r->item = NULL;
    r->texts = false;
    if (++r->steps % WALREPLAY_UNINTERRUPTED == 0 && reader_interrupted(r->q->of.reader))
        return err_set(r->e, -EINTR, "interrupted");
    if (keypass_fit(r->keys) < 0)
        return no_memory(r->e);
    const size_t weight = RECORD_COST + len + count * sizeof(struct walcache_value);
    r->cache->replayed += weight;
    r->strings = type == VALUE_STRING;
    if (walreplay_is_other(&r->q->of, k, &series))
        return 0;
    r->cache->left += weight;
    r->texts = type == VALUE_STRING;
    if (!keypass_wants(r->keys, series))
        return 0;
    int rc = walcache_take_key(r, k, series.n, type);
    if (rc != -EBADMSG)
        return rc;
    gaps_name(k, name);
    return gaps_damage(r->q->of.gaps, rc, r->e, "left out: key %s", name);
}

static int walcache_on_value(void *ctx, int64_t time, const union value *v, const char *text)
{
    struct replay *r = ctx;
    struct walcache_value w = {time, *v};
    int rc = 0;
    if (r->strings)
        r->cache->replayed += v->s.len;
    if (r->texts)
        r->cache->left += v->s.len;
    if (!r->item)
        return 0;
    if (r->item->type == VALUE_STRING)
        rc = keypass_put(r->keys, r->item, text, v->s.len, &w.value.s.off);
    if (rc == 0)
        rc = keypass_push(r->keys, r->item, &w);
    return rc < 0 ? err_sys(r->e, rc, "the WAL") : 0;
}

/* Deletes only values replayed so far, never a value of a TSM file. */
static int walcache_on_remove(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct replay *r = ctx;
    struct keypass_item *n = keypass_find(r->keys, (struct slice){key, len});
    if (!n || n->n == 0)
        return 0;
    struct walcache_value *values = keypass_list(n);
    size_t kept = 0;
    for (size_t i = 0; i < n->n; i++)
        if (values[i].time < min || values[i].time > max)
            values[kept++] = values[i];
    keypass_leave(n, kept);
    return 0;
}

static void walcache_on_segment(void *ctx, size_t i)
{
    ((struct replay *)ctx)->segment = i;
}

static int walcache_replay(struct replay *r)
{
    const struct walcache_query *q = r->q;
    const struct walreplay_visitor v = {
        .records = {walcache_on_key, walcache_on_value, walcache_on_remove, r},
        .segment = walcache_on_segment};
    if (!q->parts)
        return walreplay(&q->of, &v, r->e);
    if (keypass_until(r->keys, walranges_end(q->parts, q->of.from)) < 0)
        return no_memory(r->e);
    return walranges_replay(q->parts, q->of.from, &v, r->e);
}

/* A value, and how many came before it. */
struct numbered {
    struct walcache_value value;
    size_t number;
};

static int by_time(const void *va, const void *vb)
{
    const struct numbered *a = va, *b = vb;
    if (a->value.time != b->value.time)
        return a->value.time < b->value.time ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

static bool is_sorted(const struct walcache_value *values, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (values[i - 1].time >= values[i].time)
            return false;
    return true;
}

/* By time; of values with the same time only the last is kept. */
static int walcache_sort(struct keypass_item *n)
{
    struct walcache_value *values = keypass_list(n);
    if (is_sorted(values, n->n))
        return 0;
    autofree struct numbered *all = malloc(n->n * sizeof(*all));
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < n->n; i++)
        all[i] = (struct numbered){values[i], i};
    qsort(all, n->n, sizeof(*all), by_time);
    size_t kept = 0;
    for (size_t i = 0; i < n->n; i++)
        if (i + 1 == n->n || all[i + 1].value.time != all[i].value.time)
            values[kept++] = all[i].value;
    keypass_leave(n, kept);
    return 0;
}

/* Sorts keys and values after the replay. */
static int walcache_finish(struct walcache *w)
{
    int r = keypass_fit(&w->keys);
    keypass_sort(&w->keys);
    for (size_t i = 0; r == 0 && i < w->keys.n; i++)
        r = walcache_sort(w->keys.items[i]);
    return r;
}

int walcache_open(const struct walcache_query *q, struct walcache **out, struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *w = calloc(1, sizeof(*w));
    if (!w)
        return no_memory(e);
    atomic_init(&w->refs, 1);
    if (keypass_init(&w->keys, q->memory, q->of.from) < 0)
        return no_memory(e);
    struct replay replay = {.q = q, .cache = w, .keys = &w->keys, .e = e};
    int r = walcache_replay(&replay);
    if (r == 0)
        r = walcache_finish(w) < 0 ? no_memory(e) : 0;
    if (r == 0)
        *out = steal_ptr(&w);
    return r;
}

struct slice walcache_rest(const struct walcache *w)
{
    return keypass_end(&w->keys);
}

size_t walcache_memory(const struct walcache *w)
{
    return w->keys.used;
}

size_t walcache_left(const struct walcache *w)
{
    return w->left;
}

size_t walcache_replayed(const struct walcache *w)
{
    return w->replayed;
}

size_t walcache_count(const struct walcache *w)
{
    return w->keys.n;
}

struct walcache_key walcache_at(const struct walcache *w, size_t i)
{
    struct keypass_item *n = w->keys.items[i];
    const size_t nprefix = n->ngroup + sizeof(SERIESKEY_SEPARATOR) - 1;
    return (struct walcache_key){.key = keypass_key(n),
                                 .series = keypass_group(n),
                                 .field = {n->key + nprefix, n->nkey - nprefix},
                                 .type = (enum value_type)n->type,
                                 .n = n->n,
                                 .values = keypass_list(n),
                                 .text = keypass_text(n)};
}

bool walcache_find(const struct walcache *w, struct slice key, struct walcache_key *out)
{
    struct slice series, field;
    if (!serieskey_split(key, &series, &field))
        return false;
    const size_t i = keypass_search(&w->keys, series, key);
    if (i == w->keys.n || slice_compare(keypass_key(w->keys.items[i]), key) != 0)
        return false;
    *out = walcache_at(w, i);
    return true;
}

/* All keys of a measurement begin with it, and so do some others. */
bool walcache_next(const struct walcache *w, struct slice measurement, size_t *i,
                   struct walcache_key *out)
{
    if (*i == 0)
        *i = keypass_search(&w->keys, measurement, measurement);
    while (*i < w->keys.n) {
        *out = walcache_at(w, (*i)++);
        if (out->series.n < measurement.n ||
            memcmp(out->series.p, measurement.p, measurement.n) != 0)
            break;
        if (serieskey_is_of(out->key, measurement))
            return true;
    }
    return false;
}
