/* SPDX-License-Identifier: MIT */
/* merge_shard and merge_times: random shards become one, and are read by what serves dumps. The
 * merged points are worked out from those of each shard. */
#include "store/points/measurement.h"
#include "store/rewrite/merge_shard.h"
#include "store/rewrite/merge_times.h"
#include "tests/unit/memory_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define TIMES 24
#define KEYS 5
#define SIDES 3
#define ROUNDS 400

static const char *const keys[KEYS] = {"m#!~#i", "m#!~#v", "m,h=a#!~#v", "m,h=b#!~#i", "n#!~#v"};
static const char *const field_of[KEYS] = {"m.i", "m.v", "m.v", "m.i", "n.v"};
static uint32_t seed = 11;

/* What a shard holds: type and number of each key at each time; number 0: nothing. */
struct content {
    int number[KEYS][TIMES];
    enum value_type type[KEYS];
};

static struct buffer random_tsm(const enum value_type types[KEYS])
{
    struct field_text fields[KEYS];
    char points[KEYS][400];
    size_t n = 0;
    for (size_t k = 0; k < KEYS; k++) {
        size_t at = 0;
        if (any_below(&seed, 3) == 0)
            continue;
        for (int t = 0; t < TIMES; t++)
            if (any_below(&seed, 3) == 0)
                at += (size_t)sprintf(points[k] + at, "%s%d=%u", at ? " " : "", t,
                                      1 + any_below(&seed, 100000));
        if (at)
            fields[n++] = (struct field_text){keys[k], types[k], points[k]};
    }
    if (n == 0)
        fields[n++] = (struct field_text){keys[0], types[0], "1=1"};
    return tsm_of(fields, n);
}

static struct buffer random_tombstone(void)
{
    const int64_t min = any_below(&seed, TIMES);
    return tombstone_of(keys[any_below(&seed, KEYS)], any_below(&seed, 4) ? min : INT64_MIN,
                        any_below(&seed, 4) ? min + any_below(&seed, 8) : INT64_MAX);
}

static struct buffer random_wal(const enum value_type types[KEYS])
{
    struct buffer b = {0};
    char points[40];
    for (uint32_t n = any_below(&seed, 4); n > 0; n--) {
        const size_t k = any_below(&seed, KEYS);
        sprintf(points, "%u=%u %u=%u", any_below(&seed, TIMES), 1 + any_below(&seed, 100000),
                any_below(&seed, TIMES), 1 + any_below(&seed, 100000));
        if (any_below(&seed, 4) == 0)
            wal_delete(&b, keys[k], any_below(&seed, TIMES), TIMES);
        wal_write(&b, &(struct field_text){keys[k], types[k], points});
    }
    if (!b.p)
        wal_write(&b, &(struct field_text){keys[0], types[0], "3=3"});
    return b;
}

/* A store with one shard. Floats and integers: those of a measurement's field have one type. */
static struct memory *random_store(void)
{
    enum value_type types[KEYS];
    struct memory *m = memory_new();
    static const char *const tsm[] = {"000000001-000000002.tsm", "000000003-000000001.tsm",
                                      "000000003-000000002.tsm"};
    static const char *const gone[] = {"000000001-000000002.tombstone",
                                       "000000003-000000001.tombstone",
                                       "000000003-000000002.tombstone"};
    types[0] = types[3] = any_below(&seed, 2) ? VALUE_INTEGER : VALUE_FLOAT;
    types[1] = types[2] = any_below(&seed, 5) ? VALUE_INTEGER : VALUE_FLOAT;
    types[4] = VALUE_FLOAT;
    memory_meta(m, &(struct shard_times){1, 0, TIMES}, 1);
    for (uint32_t i = 0; i < any_below(&seed, 4); i++) {
        if (any_below(&seed, 2))
            memory_add(m, "data/db/rp/1", gone[i], random_tombstone());
        memory_add(m, "data/db/rp/1", tsm[i], random_tsm(types));
    }
    if (any_below(&seed, 2))
        memory_add(m, "wal/db/rp/1", "_00001.wal", random_wal(types));
    return m;
}

static void read_points(const struct capture *c, const struct shard_files *sh, struct content *out)
{
    memset(out, 0, sizeof(*out));
    for (int m = 0; m < 2; m++) {
        const struct measurement_query q = {
            .capture = c, .shard = sh, .name = {m ? "n" : "m", 1}, .range = {INT64_MIN, INT64_MAX}};
        struct measurement *points;
        struct err e = {0};
        if (measurement_open(&q, &points, &e) < 0)
            fail_msg("%s", e.text);
        for (size_t i = 0; i < measurement_count(points); i++) {
            struct measurement_field *f = measurement_at(points, i);
            size_t k = 0;
            while (f->key.n != strlen(keys[k]) || memcmp(f->key.p, keys[k], f->key.n) != 0)
                k++;
            out->type[k] = f->cursor.type;
            assert_int_equal(cursor_first(&f->cursor, NULL), 0);
            for (; !f->cursor.done; assert_int_equal(cursor_next(&f->cursor, NULL), 0))
                out->number[k][f->cursor.time] =
                    f->cursor.type == VALUE_FLOAT ? (int)f->cursor.value.f : (int)f->cursor.value.i;
        }
        measurement_free(points);
    }
}

static bool any_of(const struct content *c, size_t k)
{
    for (int t = 0; t < TIMES; t++)
        if (c->number[k][t])
            return true;
    return false;
}

/* The first type of a field counts; first: of all that are there before. */
static bool fits(const struct content *const first[], size_t n, size_t k, enum value_type type)
{
    for (size_t i = 0; i < n; i++)
        for (size_t other = 0; other < KEYS; other++)
            if (strcmp(field_of[other], field_of[k]) == 0 && any_of(first[i], other))
                return first[i]->type[other] == type;
    return true;
}

/* Adds points; over: they count where there are others. */
static void overlay(struct content *to, const struct content *from, const bool fit[KEYS], bool over)
{
    for (size_t k = 0; k < KEYS; k++)
        for (int t = 0; t < TIMES; t++)
            if (fit[k] && from->number[k][t] && (over || !to->number[k][t])) {
                to->number[k][t] = from->number[k][t];
                to->type[k] = from->type[k];
            }
}

/* The merged shard as a store of its own. */
static struct memory *store_of(const struct merge_shard *m, const struct merge_query *q)
{
    struct memory *out = memory_new();
    memory_meta(out, &(struct shard_times){1, 0, TIMES}, 1);
    for (size_t i = 0; i < merge_shard_count(m); i++) {
        const struct merge_file *f = merge_shard_at(m, i);
        struct buffer b = {0}, gone = {0};
        char *to = buffer_reserve(&b, f->size);
        assert_int_equal(merge_shard_read(m, i, to, f->size, 0, NULL), 0);
        b.n = f->size;
        if (f->tombstone != MEMBER_NONE) {
            static char names[MEMORY_FILES][NAME_MAX];
            assert_ptr_equal(f->capture, q->capture);
            const uint64_t size = capture_member(q->capture, f->tombstone)->attr.size;
            to = buffer_reserve(&gone, size);
            assert_int_equal(capture_read(q->capture, f->tombstone, to, size, 0, NULL), 0);
            gone.n = size;
            sprintf(names[i], "%.19s.tombstone", f->name);
            memory_add(out, "data/db/rp/1", names[i], gone);
        }
        memory_add(out, "data/db/rp/1", f->name, b);
    }
    for (size_t i = 0; q->shard && merge_shard_keeps_wal(m) && i < q->shard->nwal; i++) {
        const struct member *wal = capture_member(q->capture, q->shard->wal[i]);
        struct buffer b = {0};
        assert_int_equal(capture_read(q->capture, q->shard->wal[i],
                                      buffer_reserve(&b, wal->attr.size), wal->attr.size, 0, NULL),
                         0);
        b.n = wal->attr.size;
        memory_add(out, "wal/db/rp/1", wal->name, b);
    }
    return out;
}

static void read_store(struct memory *m, struct content *out)
{
    struct shards *s;
    assert_int_equal(shards_open(&m->c, &s, NULL), 0);
    read_points(&m->c, shards_at(s, 0), out);
    shards_free(s);
}

static void check_same(const struct content *got, const struct content *wanted)
{
    for (size_t k = 0; k < KEYS; k++) {
        assert_memory_equal(got->number[k], wanted->number[k], sizeof(got->number[k]));
        if (any_of(wanted, k))
            assert_int_equal(got->type[k], wanted->type[k]);
    }
}

static void count_refused(void *ctx, struct slice measurement, struct slice field, const char *type,
                          const char *refused)
{
    (void)measurement;
    (void)field;
    assert_string_not_equal(type, refused);
    ++*(size_t *)ctx;
}

struct world {
    struct memory *store[SIDES];
    struct shards *shards[SIDES];
    struct content content[SIDES];
};

static void world_make(struct world *w)
{
    for (int i = 0; i < SIDES; i++) {
        w->store[i] = random_store();
        assert_int_equal(shards_open(&w->store[i]->c, &w->shards[i], NULL), 0);
        read_points(&w->store[i]->c, shards_at(w->shards[i], 0), &w->content[i]);
    }
}

static void world_free(struct world *w)
{
    for (int i = 0; i < SIDES; i++) {
        shards_free(w->shards[i]);
        capture_unref(&w->store[i]->c);
    }
}

/* Works out what the merge of a world gives. home: whether there is one. */
static bool expect(const struct world *w, bool home, bool parts_win, const int64_t *until,
                   struct content *out)
{
    const struct content *before[SIDES];
    size_t n = 0;
    bool refused = false;
    *out = home ? w->content[0] : (struct content){0};
    if (home)
        before[n++] = &w->content[0];
    struct content parts = {0};
    static struct content part[SIDES];
    for (int i = 1; i < SIDES; i++) {
        bool fit[KEYS];
        part[i] = w->content[i];
        for (size_t k = 0; k < KEYS; k++)
            for (int t = 0; t < TIMES; t++)
                if (t > until[i])
                    part[i].number[k][t] = 0;
        for (size_t k = 0; k < KEYS; k++) {
            fit[k] = fits(before, n, k, part[i].type[k]);
            refused |= !fit[k] && any_of(&part[i], k);
        }
        before[n++] = &part[i];
        overlay(&parts, &part[i], fit, true);
    }
    const bool all[KEYS] = {true, true, true, true, true};
    overlay(out, &parts, all, parts_win);
    return refused;
}

static void test_random(void **state)
{
    (void)state;
    const int folder = open("/tmp", O_RDONLY | O_DIRECTORY);
    for (int round = 0; round < ROUNDS; round++) {
        struct world w;
        struct content wanted, got;
        struct merge_shard *m = NULL;
        struct err e = {0};
        const bool home = any_below(&seed, 4), parts_win = any_below(&seed, 2);
        int64_t until[SIDES];
        struct merge_part parts[SIDES];
        size_t told = 0;
        world_make(&w);
        for (int i = 1; i < SIDES; i++) {
            until[i] = any_below(&seed, 2) ? TIMES : any_below(&seed, TIMES);
            parts[i - 1] = (struct merge_part){
                &w.store[i]->c, shards_at(w.shards[i], 0), {INT64_MIN, until[i]}, 1, 0};
        }
        const struct merge_query q = {.capture = &w.store[0]->c,
                                      .shard = home ? shards_at(w.shards[0], 0) : NULL,
                                      .parts = parts,
                                      .nparts = SIDES - 1,
                                      .parts_win = parts_win,
                                      .folder = folder};
        if (merge_shard_open(&q, &m, &e) < 0)
            fail_msg("round %d: %s", round, e.text);
        const bool refused = expect(&w, home, parts_win, until, &wanted);
        merge_shard_refused(m, count_refused, &told);
        assert_int_equal(told > 0, refused);
        struct memory *merged = store_of(m, &q);
        read_store(merged, &got);
        check_same(&got, &wanted);
        capture_unref(&merged->c);
        merge_shard_free(m);
        world_free(&w);
    }
    close(folder);
}

/* Damage is said of the store where a part is its own. */
static void test_blame(void **state)
{
    (void)state;
    struct world w;
    const int folder = open("/tmp", O_RDONLY | O_DIRECTORY);
    world_make(&w);
    for (int own = 0; own < 2; own++) {
        struct memory *damaged = memory_new();
        struct shards *shards;
        struct merge_shard *m = NULL;
        struct buffer junk = {0};
        struct err e = {0};
        memory_meta(damaged, &(struct shard_times){1, 0, TIMES}, 1);
        buffer_string(&junk, "no TSM file, but as long as one has to be to be looked at");
        memory_add(damaged, "data/db/rp/1", "000000001-000000001.tsm", junk);
        assert_int_equal(shards_open(&damaged->c, &shards, NULL), 0);
        const struct merge_part part = {&damaged->c, shards_at(shards, 0), {0, 3}, 1, 0};
        const struct merge_query q = {.capture = own ? &damaged->c : &w.store[0]->c,
                                      .parts = &part,
                                      .nparts = 1,
                                      .folder = folder};
        assert_int_equal(merge_shard_open(&q, &m, &e), own ? -EIO : -EBADMSG);
        assert_int_equal(strncmp(e.text, "in the store: ", 14) == 0, own);
        shards_free(shards);
        capture_unref(&damaged->c);
    }
    world_free(&w);
    close(folder);
}

/* What belongs into one shard of several, by series. */
static void test_spread(void **state)
{
    (void)state;
    const int folder = open("/tmp", O_RDONLY | O_DIRECTORY);
    for (int round = 0; round < 50; round++) {
        struct world w;
        struct content sum = {0};
        bool all[KEYS] = {true, true, true, true, true};
        world_make(&w);
        for (uint64_t i = 0; i < 3; i++) {
            const struct merge_part part = {&w.store[1]->c, shards_at(w.shards[1], 0), SETTLED_ALL,
                                            3, i};
            const struct merge_query q = {.parts = &part, .nparts = 1, .folder = folder};
            struct content got;
            struct merge_shard *m;
            assert_int_equal(merge_shard_open(&q, &m, NULL), 0);
            struct memory *one = store_of(m, &q);
            read_store(one, &got);
            /* The fields of a series stay together. */
            assert_false(any_of(&got, 0) && any_of(&w.content[1], 1) && !any_of(&got, 1));
            for (size_t k = 0; k < KEYS; k++)
                assert_false(any_of(&got, k) && any_of(&sum, k));
            overlay(&sum, &got, all, true);
            capture_unref(&one->c);
            merge_shard_free(m);
        }
        check_same(&sum, &w.content[1]);
        world_free(&w);
    }
    close(folder);
}

struct told {
    bool at[TIMES];
    bool each;
};

static int tell(void *ctx, int64_t min, int64_t max)
{
    struct told *t = ctx;
    t->at[min] = t->at[max] = true;
    return min < max && t->each;
}

static void test_times(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct world w;
        world_make(&w);
        for (int i = 0; i < SIDES; i++) {
            struct told some = {.each = false}, all = {.each = true};
            const struct shard_files *sh = shards_at(w.shards[i], 0);
            assert_int_equal(merge_times(&w.store[i]->c, sh, NULL, tell, &some, NULL), 0);
            assert_int_equal(merge_times(&w.store[i]->c, sh, NULL, tell, &all, NULL), 0);
            for (int t = 0; t < TIMES; t++) {
                bool has = false;
                for (size_t k = 0; k < KEYS; k++)
                    has |= w.content[i].number[k][t] != 0;
                assert_int_equal(all.at[t], has);
                assert_true(has || !some.at[t]);
            }
        }
        world_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_spread),
                                       cmocka_unit_test(test_times), cmocka_unit_test(test_blame)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
