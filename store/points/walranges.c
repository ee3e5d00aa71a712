/* SPDX-License-Identifier: MIT */
#include "store/points/walranges.h"

#include "store/base/array.h"
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/points/answer_spill.h"

#include <errno.h>
#include <stdlib.h>

/* For the pages in memory, at least: an eighth of the records, up to this. With less they would be so small
 * that the 24 bytes for each are a good part of the WAL. */
#define LEAST_PAGES_MEMORY ((size_t)1 << 20)
#define RANGE_MEMORY ((size_t)512)
#define SAMPLE (8 * WALRANGES_MOST)

enum record_kind { RECORD_SEGMENT, RECORD_VALUES, RECORD_REMOVE };

/* A record as it is put down. Its key follows; then so many values, or two times. */
struct record {
    uint8_t kind, type;
    uint16_t nkey;
    uint32_t n; /* values; of a segment its number */
};

/* A value; the bytes of a string follow. */
struct record_value {
    int64_t time;
    union value value;
};

struct range {
    struct answer_array *bytes;
    size_t segment; /* of the last record */
};

struct walranges {
    struct answer_spill *spill;
    size_t n;
    struct range *ranges;
    struct slice *begins; /* of each range but the first; memory of their own */
};

/* While it is made. */
struct making {
    const struct walreplay_query *q;
    struct walranges *parts;
    struct err *e;
    size_t steps;
    /* The first walk: series by chance, each as likely as it has records. */
    uint64_t chance, seen;
    size_t nsample;
    struct slice *sample;
    /* The second walk. */
    size_t segment;
    struct range *range; /* of the values that follow; NULL: they are skipped */
    enum value_type type;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the WAL");
}

static void slices_free(struct slice *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        free((char *)list[i].p);
    free(list);
}

void walranges_free(struct walranges *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->ranges && i < p->n; i++)
        answer_array_free(p->ranges[i].bytes);
    answer_spill_free(p->spill);
    free(p->ranges);
    slices_free(p->begins, p->n - 1);
    free(p);
}

static bool begins_up_to(const void *begin, const void *series)
{
    return slice_compare(*(const struct slice *)begin, *(const struct slice *)series) <= 0;
}

static size_t walranges_range(const struct walranges *p, struct slice series)
{
    return array_bisect(p->begins, p->n - 1, sizeof(*p->begins), &series, begins_up_to);
}

struct slice walranges_end(const struct walranges *p, struct slice series)
{
    const size_t i = walranges_range(p, series);
    return i + 1 < p->n ? p->begins[i] : (struct slice){NULL, 0};
}

static int making_step(struct making *m)
{
    return ++m->steps % WALREPLAY_UNINTERRUPTED == 0 && reader_interrupted(m->q->reader)
               ? err_set(m->e, -EINTR, "interrupted")
               : 0;
}

static uint64_t making_chance(struct making *m)
{
    m->chance ^= m->chance << 13;
    m->chance ^= m->chance >> 7;
    return m->chance ^= m->chance << 17;
}

/* Takes the first series, and then each later one in the place of another, ever more rarely. */
static int walranges_sample(void *ctx, const char *key, size_t len, enum value_type type,
                            size_t count)
{
    struct making *m = ctx;
    struct slice series;
    (void)type, (void)count;
    int r = making_step(m);
    if (r < 0 || walreplay_is_other(m->q, (struct slice){key, len}, &series))
        return r;
    const uint64_t at = m->seen++ < SAMPLE ? m->nsample : making_chance(m) % m->seen;
    if (at >= SAMPLE)
        return 0;
    char *copy = malloc(series.n + 1);
    if (!copy)
        return no_memory(m->e);
    memcpy(copy, series.p, series.n);
    free((char *)m->sample[at].p);
    m->sample[at] = (struct slice){copy, series.n};
    m->nsample += at == m->nsample;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Ranges that have about the same number of records each; those which would begin alike are one. */
static int walranges_split(struct making *m, size_t wanted)
{
    struct walranges *p = m->parts;
    p->begins = calloc(wanted + 1, sizeof(*p->begins));
    if (!p->begins)
        return no_memory(m->e);
    qsort(m->sample, m->nsample, sizeof(*m->sample), by_name);
    for (size_t i = 1; i < wanted && m->nsample > 0; i++) {
        struct slice *s = &m->sample[i * m->nsample / wanted];
        if (!s->p || (p->n > 1 && slice_compare(p->begins[p->n - 2], *s) == 0))
            continue;
        p->begins[p->n++ - 1] = *s;
        s->p = NULL; /* it is not looked at again */
    }
    return 0;
}

static size_t walranges_memory(const struct walranges_limits *l)
{
    const size_t quarter = l->memory / 4, some = l->weight / 8;
    const size_t share = l->pages > quarter ? l->pages : quarter;
    const size_t least = some < LEAST_PAGES_MEMORY ? some : LEAST_PAGES_MEMORY;
    return share > least ? share : least;
}

static int walranges_open(struct making *m, const struct walranges_limits *l)
{
    struct walranges *p = m->parts;
    p->ranges = calloc(p->n, sizeof(*p->ranges));
    if (!p->ranges || answer_spill_new(walranges_memory(l), l->folder, l->spilled, &p->spill) < 0)
        return no_memory(m->e);
    for (size_t i = 0; i < p->n; i++) {
        p->ranges[i].segment = SIZE_MAX;
        if (answer_array_new(p->spill, 1, &p->ranges[i].bytes) < 0)
            return no_memory(m->e);
    }
    return 0;
}

static void walranges_on_segment(void *ctx, size_t i)
{
    ((struct making *)ctx)->segment = i;
}

/* Puts down the head of a record and its key. NULL: it is of no range. */
static struct range *walranges_put(struct making *m, struct record head, const char *key)
{
    struct slice series;
    if (walreplay_is_other(m->q, (struct slice){key, head.nkey}, &series))
        return NULL;
    struct range *range = &m->parts->ranges[walranges_range(m->parts, series)];
    if (range->segment != m->segment) {
        const struct record segment = {.kind = RECORD_SEGMENT, .n = (uint32_t)m->segment};
        answer_array_put(range->bytes, &segment, sizeof(segment));
        range->segment = m->segment;
    }
    answer_array_put(range->bytes, &head, sizeof(head));
    answer_array_put(range->bytes, key, head.nkey);
    return range;
}

static int walranges_on_key(void *ctx, const char *key, size_t len, enum value_type type,
                            size_t count)
{
    struct making *m = ctx;
    const struct record head = {RECORD_VALUES, (uint8_t)type, (uint16_t)len, (uint32_t)count};
    m->type = type;
    m->range = walranges_put(m, head, key);
    int r = making_step(m);
    return r < 0 ? r : answer_spill_check(m->parts->spill, m->e);
}

static int walranges_on_value(void *ctx, int64_t time, const union value *v, const char *text)
{
    struct making *m = ctx;
    const struct record_value value = {time, *v};
    if (!m->range)
        return 0;
    answer_array_put(m->range->bytes, &value, sizeof(value));
    if (m->type == VALUE_STRING)
        answer_array_put(m->range->bytes, text, v->s.len);
    return 0;
}

/* Keys that are longer than any that is written have nothing to delete. */
static int walranges_on_remove(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct making *m = ctx;
    const int64_t times[] = {min, max};
    if (len > UINT16_MAX)
        return 0;
    const struct record head = {.kind = RECORD_REMOVE, .nkey = (uint16_t)len};
    struct range *range = walranges_put(m, head, key);
    if (range)
        answer_array_put(range->bytes, times, sizeof(times));
    return answer_spill_check(m->parts->spill, m->e);
}

static int walranges_build(struct making *m, const struct walranges_limits *l)
{
    const struct walreplay_visitor sample = {.records = {.key = walranges_sample, .ctx = m}};
    const struct walreplay_visitor all = {
        .records = {walranges_on_key, walranges_on_value, walranges_on_remove, m},
        .segment = walranges_on_segment};
    const size_t most = l->memory / 4 / RANGE_MEMORY + 2;
    size_t wanted = l->weight / (l->memory / 2 + 1) + 2;
    wanted = wanted < most ? wanted : most;
    int r = walreplay(m->q, &sample, m->e);
    if (r == 0)
        r = walranges_split(m, wanted < WALRANGES_MOST ? wanted : WALRANGES_MOST);
    if (r == 0)
        r = walranges_open(m, l);
    if (r == 0)
        r = walreplay(m->q, &all, m->e);
    return r < 0 ? r : answer_spill_check(m->parts->spill, m->e);
}

int walranges_make(const struct walreplay_query *q, const struct walranges_limits *l,
                   struct walranges **out, struct err *e)
{
    cleanup(walranges_freep) struct walranges *p = calloc(1, sizeof(*p));
    struct making m = {.q = q, .parts = p, .e = e, .chance = 88172645463325252u};
    m.sample = calloc(SAMPLE, sizeof(*m.sample));
    int r = p && m.sample ? 0 : no_memory(e);
    if (r == 0) {
        p->n = 1;
        r = walranges_build(&m, l);
    }
    slices_free(m.sample, SAMPLE);
    if (r == 0)
        *out = steal_ptr(&p);
    return r;
}

/* The records of a range while they are read. */
struct reading {
    struct walranges *parts;
    struct answer_array *bytes;
    uint64_t at;
    struct buffer key, text;
};

static void reading_clear(struct reading *r)
{
    buffer_free(&r->key);
    buffer_free(&r->text);
}

static void reading_take(struct reading *r, void *to, size_t n)
{
    answer_array_take(r->bytes, r->at, to, n);
    r->at += n;
}

/* The next n bytes; NULL: out of memory. */
static const char *reading_bytes(struct reading *r, struct buffer *b, size_t n)
{
    b->n = 0;
    char *p = buffer_reserve(b, n);
    if (p)
        reading_take(r, p, n);
    return p;
}

static int walranges_read_values(struct reading *r, const struct record *head, const char *key,
                                 const struct walentry_visitor *v, struct err *e)
{
    int rc = v->key(v->ctx, key, head->nkey, (enum value_type)head->type, head->n);
    for (uint32_t i = 0; rc == 0 && i < head->n; i++) {
        struct record_value value;
        const char *text = NULL;
        reading_take(r, &value, sizeof(value));
        if (head->type == VALUE_STRING && !(text = reading_bytes(r, &r->text, value.value.s.len)))
            return no_memory(e);
        rc = answer_spill_check(r->parts->spill, e);
        if (rc == 0)
            rc = v->value(v->ctx, value.time, &value.value, text);
    }
    return rc;
}

static int walranges_read_record(struct reading *r, const struct walreplay_visitor *v,
                                 struct err *e)
{
    struct record head;
    int64_t times[2];
    reading_take(r, &head, sizeof(head));
    const char *key = reading_bytes(r, &r->key, head.nkey);
    int rc = key ? answer_spill_check(r->parts->spill, e) : no_memory(e);
    if (rc < 0)
        return rc;
    if (head.kind == RECORD_VALUES)
        return walranges_read_values(r, &head, key, &v->records, e);
    if (head.kind == RECORD_SEGMENT) {
        v->segment(v->records.ctx, head.n);
        return 0;
    }
    reading_take(r, times, sizeof(times));
    rc = answer_spill_check(r->parts->spill, e);
    return rc < 0 ? rc : v->records.remove(v->records.ctx, key, head.nkey, times[0], times[1]);
}

int walranges_replay(struct walranges *p, struct slice series, const struct walreplay_visitor *v,
                     struct err *e)
{
    cleanup(reading_clear) struct reading r = {
        .parts = p, .bytes = p->ranges[walranges_range(p, series)].bytes};
    int rc = 0;
    while (rc == 0 && r.at < answer_array_count(r.bytes))
        rc = walranges_read_record(&r, v, e);
    return rc;
}
