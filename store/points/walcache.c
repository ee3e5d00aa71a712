/* SPDX-License-Identifier: MIT */
#include "store/points/walcache.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/walentry.h"
#include "store/points/keyhash.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <stdatomic.h>

struct entry {
    struct walcache_key of;
    UT_hash_handle hh;
    char key[];
};

/* A piece of memory for a string. */
struct text {
    struct text *next;
    char bytes[];
};

struct walcache {
    atomic_uint refs;
    struct entry *entries; /* hash by key */
    struct entry **sorted;
    size_t n;
    struct text *texts;
};

/* A WAL while it is replayed. */
struct replay {
    struct walcache *cache;
    const struct capture *capture;
    const struct shard_files *shard;
    const struct slice *measurement; /* NULL: all */
    const struct gaps *gaps;
    const char *path;    /* of the segment */
    struct entry *entry; /* entry for the following values; NULL: they are skipped */
    struct err *e;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the WAL");
}

static void free_entry(struct walcache *w, struct entry *n)
{
    HASH_DEL(w->entries, n);
    free(n->of.values);
    free(n);
}

struct walcache *walcache_ref(struct walcache *w)
{
    atomic_fetch_add(&w->refs, 1);
    return w;
}

void walcache_unref(struct walcache *w)
{
    struct entry *n, *tmp;
    if (!w || atomic_fetch_sub(&w->refs, 1) > 1)
        return;
    HASH_ITER(hh, w->entries, n, tmp)
    {
        free_entry(w, n);
    }
    while (w->texts) {
        struct text *next = w->texts->next;
        free(w->texts);
        w->texts = next;
    }
    free(w->sorted);
    free(w);
}

/* NULL when out of memory. */
static struct entry *walcache_add(struct walcache *w, struct slice key, enum value_type type)
{
    struct entry *n;
    keyhash_add(w->entries, key.p, key.n, n);
    if (!n)
        return NULL;
    n->of.key = (struct slice){n->key, key.n};
    n->of.type = type;
    serieskey_split(n->of.key, &n->of.series, &n->of.field);
    return n;
}

/* Sets the key of the following values. */
static int walcache_take_key(struct replay *r, struct slice key, enum value_type type)
{
    struct entry *n;
    HASH_FIND(hh, r->cache->entries, key.p, key.n, n);
    int rc = shards_check_field(key, r->path, type, n ? &n->of.type : NULL, r->e);
    if (rc == 0 && !n)
        rc = (n = walcache_add(r->cache, key, type)) ? 0 : no_memory(r->e);
    r->entry = rc == 0 ? n : NULL;
    return rc;
}

/* A damaged key without a readable measurement may belong to any. */
static bool is_of_another(const struct replay *r, struct slice key)
{
    struct slice series, field;
    return r->measurement && !serieskey_is_of(key, *r->measurement) &&
           serieskey_split(key, &series, &field);
}

static int walcache_on_key(void *ctx, const char *key, size_t len, enum value_type type,
                           size_t count)
{
    struct replay *r = ctx;
    const struct slice k = {key, len};
    char name[GAPS_NAME];
    (void)count;
    r->entry = NULL;
    if (is_of_another(r, k))
        return 0;
    int rc = walcache_take_key(r, k, type);
    if (rc != -EBADMSG)
        return rc;
    gaps_name(k, name);
    return gaps_damage(r->gaps, rc, r->e, "left out: key %s", name);
}

static const char *walcache_keep_text(struct walcache *w, const char *text, size_t n)
{
    struct text *k = malloc(sizeof(*k) + n);
    if (!k)
        return NULL;
    memcpy(k->bytes, text, n);
    k->next = w->texts;
    w->texts = k;
    return k->bytes;
}

static int walcache_on_value(void *ctx, int64_t time, const union value *v, const char *text)
{
    struct replay *r = ctx;
    struct entry *n = r->entry;
    if (!n)
        return 0;
    if (!array_grow(&n->of.values, n->of.n))
        return no_memory(r->e);
    struct walcache_value *w = &n->of.values[n->of.n];
    *w = (struct walcache_value){time, *v, NULL};
    if (n->of.type == VALUE_STRING && !(w->text = walcache_keep_text(r->cache, text, v->s.len)))
        return no_memory(r->e);
    n->of.n++;
    return 0;
}

/* Deletes only values replayed so far, never a value of a TSM file. */
static int walcache_on_remove(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct replay *r = ctx;
    struct entry *n;
    HASH_FIND(hh, r->cache->entries, key, len, n);
    if (!n)
        return 0;
    size_t kept = 0;
    for (size_t i = 0; i < n->of.n; i++)
        if (n->of.values[i].time < min || n->of.values[i].time > max)
            n->of.values[kept++] = n->of.values[i];
    n->of.n = kept;
    if (kept == 0)
        free_entry(r->cache, n);
    return 0;
}

static int leave_file(const struct replay *r, size_t member, int code)
{
    return code == -EBADMSG ? shards_leave_file(r->capture, r->shard, member, r->gaps, code, r->e)
                            : code;
}

static int walcache_replay_segment(struct replay *r, size_t member)
{
    cleanup(membersource_clear) struct membersource m = {.path = NULL};
    const struct walentry_visitor v = {walcache_on_key, walcache_on_value, walcache_on_remove, r};
    if (membersource_init(&m, r->capture, member) < 0)
        return no_memory(r->e);
    r->path = m.path;
    int rc = leave_file(r, member, damage_cut_off(r->capture, member, r->e));
    return rc < 0 ? rc : leave_file(r, member, walread(&m.source, &v, r->e));
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

static bool is_sorted(const struct entry *n)
{
    for (size_t i = 1; i < n->of.n; i++)
        if (n->of.values[i - 1].time >= n->of.values[i].time)
            return false;
    return true;
}

/* By time; of values with the same time only the last is kept. */
static int walcache_sort(struct entry *n)
{
    if (is_sorted(n))
        return 0;
    autofree struct numbered *all = malloc(n->of.n * sizeof(*all));
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < n->of.n; i++)
        all[i] = (struct numbered){n->of.values[i], i};
    qsort(all, n->of.n, sizeof(*all), by_time);
    size_t kept = 0;
    for (size_t i = 0; i < n->of.n; i++)
        if (i + 1 == n->of.n || all[i + 1].value.time != all[i].value.time)
            n->of.values[kept++] = all[i].value;
    n->of.n = kept;
    return 0;
}

static int by_key(const void *va, const void *vb)
{
    const struct entry *a = *(struct entry *const *)va, *b = *(struct entry *const *)vb;
    int c = slice_compare(a->of.series, b->of.series);
    return c ? c : slice_compare(a->of.field, b->of.field);
}

/* Sorts keys and values after the replay. */
static int walcache_finish(struct walcache *w)
{
    struct entry *n, *tmp;
    w->sorted = calloc(HASH_COUNT(w->entries) + 1, sizeof(struct entry *));
    if (!w->sorted)
        return -ENOMEM;
    HASH_ITER(hh, w->entries, n, tmp)
    {
        if (walcache_sort(n) < 0)
            return -ENOMEM;
        w->sorted[w->n++] = n;
    }
    qsort(w->sorted, w->n, sizeof(struct entry *), by_key);
    return 0;
}

int walcache_open(const struct capture *c, const struct shard_files *sh,
                  const struct slice *measurement, const struct gaps *gaps, struct walcache **out,
                  struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *w = calloc(1, sizeof(*w));
    struct replay replay = {
        .cache = w, .capture = c, .shard = sh, .measurement = measurement, .gaps = gaps, .e = e};
    int r = 0;
    if (!w)
        return no_memory(e);
    atomic_init(&w->refs, 1);
    for (size_t i = 0; r == 0 && i < sh->nwal; i++)
        r = walcache_replay_segment(&replay, sh->wal[i]);
    if (r == 0)
        r = walcache_finish(w) < 0 ? no_memory(e) : 0;
    if (r == 0)
        *out = steal_ptr(&w);
    return r;
}

size_t walcache_count(const struct walcache *w)
{
    return w->n;
}

const struct walcache_key *walcache_at(const struct walcache *w, size_t i)
{
    return &w->sorted[i]->of;
}

const struct walcache_key *walcache_find(const struct walcache *w, struct slice key)
{
    struct entry *n;
    HASH_FIND(hh, w->entries, key.p, key.n, n);
    return n ? &n->of : NULL;
}

static bool is_before(const void *entry, const void *series)
{
    const struct entry *n = *(struct entry *const *)entry;
    return slice_compare(n->of.series, *(const struct slice *)series) < 0;
}

/* All keys of a measurement begin with it, and so do some others. */
const struct walcache_key *walcache_next(const struct walcache *w, struct slice measurement,
                                         size_t *i)
{
    if (*i == 0)
        *i = array_bisect(w->sorted, w->n, sizeof(struct entry *), &measurement, is_before);
    while (*i < w->n) {
        const struct walcache_key *k = &w->sorted[(*i)++]->of;
        if (k->series.n < measurement.n || memcmp(k->series.p, measurement.p, measurement.n) != 0)
            break;
        if (serieskey_is_of(k->key, measurement))
            return k;
    }
    return NULL;
}
