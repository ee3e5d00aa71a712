/* SPDX-License-Identifier: MIT */
/* A shard in memory, settled, and the points of what comes out of that. */
#ifndef INFLUXFS_TESTS_SETTLING_H
#define INFLUXFS_TESTS_SETTLING_H

#include "store/points/points.h"
#include "store/rewrite/settled.h"
#include "tests/unit/memory_capture.h"
#include "tests/unit/points_text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ONE "data/db/rp/1"
#define WAL1 "wal/db/rp/1"
#define FILE1 "000000001-000000001.tsm"
#define FILE2 "000000002-000000001.tsm"
#define FILE3 "000000003-000000001.tsm"
#define TOMBSTONE1 "000000001-000000001.tombstone"
static const struct shard_times shards[] = {{1, 0, 100000000000}};
static struct err err;

static inline struct memory *store_of_one(void)
{
    struct memory *m = memory_new();
    memory_meta(m, shards, 1);
    return m;
}

static inline int temp(void)
{
    static int fd = -1;
    if (fd < 0)
        fd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd;
}

static inline void add_bytes(struct buffer *out, const struct settled *s, size_t i)
{
    uint64_t size = settled_at(s, i)->size;
    char *to = buffer_reserve(out, size);
    assert_int_equal(settled_read(s, i, to, size, 0, &err), 0);
    out->n = size;
}

/* The store with the settled files instead of its own, and the names of these, with + for a made
 * one. */
static inline struct memory *install(const struct settled *s, char names[static 1000])
{
    static char kept[MEMORY_FILES][64]; /* until the next one is installed */
    struct memory *m = store_of_one();
    *names = 0;
    for (size_t i = 0; i < settled_count(s); i++) {
        const struct settled_file *f = settled_at(s, i);
        struct buffer bytes = {0};
        sprintf(names + strlen(names), "%s%s ", f->member == MEMBER_NONE ? "+" : "", f->name);
        add_bytes(&bytes, s, i);
        assert_true(strlen(f->name) < sizeof(kept[i]));
        memory_add(m, ONE, strcpy(kept[i], f->name), bytes);
    }
    return m;
}

/* All points of the measurement m. */
static inline struct buffer points_of(struct memory *m, struct time_range range)
{
    const struct points_query q = {.db = "db",
                                   .rp = "rp",
                                   .measurement = {"m", 1},
                                   .from = range.min,
                                   .to = range.max == INT64_MAX ? INT64_MAX : range.max + 1,
                                   .way = POINTS_ALL};
    struct schema_cache *c = NULL;
    struct points *p = NULL;
    struct points_row row;
    struct buffer out = {0};
    int r = schema_cache_open(&m->c, NULL, NULL, &c, &err);
    if (r == 0)
        r = points_open(c, &q, &p, &err);
    while (r >= 0 && (r = points_next(p, &row, &err)) == 1)
        put_row(&out, p, &row);
    if (r < 0)
        fail_msg("%s", err.text);
    points_free(p);
    schema_cache_unref(c);
    buffer_add(&out, "", 1);
    return out;
}

static inline int settle(struct memory *m, struct time_range range, const struct gaps *gaps,
                         struct shards **list, struct settled **out)
{
    if (shards_open(&m->c, list, &err) < 0)
        fail_msg("%s", err.text);
    const struct settled_query q = {
        &m->c, shards_at(*list, 0), range, temp(), gaps, NULL,
    };
    err.text[0] = '\0';
    return settled_open(&q, out, &err);
}

/* A shard settled, and a store with what came of it. */
struct settling {
    struct memory *m, *installed;
    struct shards *list;
    struct settled *s;
    char names[1000]; /* as install gives them */
};

/* Settles shard 1 of the store, which it takes over. */
static inline void settling_open(struct memory *m, struct time_range range, const struct gaps *gaps,
                                 struct settling *out)
{
    *out = (struct settling){.m = m};
    if (settle(m, range, gaps, &out->list, &out->s) < 0)
        fail_msg("%s", err.text);
    out->installed = install(out->s, out->names);
}

/* The same points are in both stores. */
static inline void settling_compare(struct settling *x, struct time_range range)
{
    struct buffer before = points_of(x->m, range), after = points_of(x->installed, SETTLED_ALL);
    if (strcmp(before.p, after.p) != 0)
        fail_msg("%s\n%s\nnot\n%s", x->names, after.p, before.p);
    buffer_free(&before);
    buffer_free(&after);
}

static inline void settling_close(struct settling *x)
{
    capture_unref(&x->installed->c);
    settled_free(x->s);
    shards_free(x->list);
    capture_unref(&x->m->c);
}

#endif
