/* SPDX-License-Identifier: MIT */
/* meta: the shards and databases of a meta.db; names: what the entries of a store are. */
#include "store/base/cleanup.h"
#include "store/influx/meta.h"
#include "store/influx/meta.pb-c.h"
#include "store/influx/names.h"
#include "tests/unit/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct wire group(uint64_t id, uint64_t deleted_at, uint64_t shard1, uint64_t shard2)
{
    struct wire g = {.n = 0};
    number(&g, 1, id);
    number(&g, 2, (uint64_t)-86400000000000);
    number(&g, 3, 0);
    number(&g, 4, deleted_at);
    for (int i = 0; i < 2; i++) {
        struct wire s = {.n = 0};
        number(&s, 1, i ? shard2 : shard1);
        bytes(&g, 5, s.b, s.n);
    }
    return g;
}

static struct wire policy(const char *name)
{
    struct wire p = {.n = 0};
    text(&p, 1, name);
    number(&p, 2, 0);
    number(&p, 3, 604800000000000);
    number(&p, 4, 1);
    return p;
}

static struct wire database(const char *name)
{
    struct wire d = {.n = 0};
    text(&d, 1, name);
    text(&d, 2, "autogen");
    return d;
}

/* Databases b (policy two: live 7 and 12, deleted 9 and 10) and a (policies two: 11, 7; none). */
static struct wire sample(void)
{
    struct wire m = {.n = 0}, b = database("b"), a = database("a"), p = policy("two"), g;
    header(&m);
    g = group(1, 0, 12, 7);
    bytes(&p, 5, g.b, g.n);
    g = group(2, 1500000000000000000, 10, 9);
    bytes(&p, 5, g.b, g.n);
    number(&p, 8, 5);
    text(&p, 99, "from a later version");
    bytes(&b, 3, p.b, p.n);
    bytes(&m, 5, b.b, b.n);
    p = policy("two");
    g = group(3, 0, 11, 7);
    bytes(&p, 5, g.b, g.n);
    bytes(&a, 3, p.b, p.n);
    p = policy("none");
    bytes(&a, 3, p.b, p.n);
    bytes(&m, 5, a.b, a.n);
    return m;
}

static void test_shards(void **state)
{
    (void)state;
    struct wire w = sample();
    cleanup(meta_freep) struct meta *m = NULL;
    assert_int_equal(meta_parse(w.b, w.n, &m, NULL), 0);
    assert_int_equal(meta_databases(m), 2);
    assert_int_equal(meta_shard(m, "b", "two", 7), META_LIVE);
    assert_int_equal(meta_shard(m, "b", "two", 12), META_LIVE);
    assert_int_equal(meta_shard(m, "b", "two", 9), META_DELETED);
    assert_int_equal(meta_shard(m, "b", "two", 11), META_UNKNOWN);
    assert_int_equal(meta_shard(m, "a", "two", 11), META_LIVE);
    assert_int_equal(meta_shard(m, "a", "none", 11), META_UNKNOWN);
    assert_int_equal(meta_shard(m, "c", "two", 7), META_UNKNOWN);
    static const struct {
        const char *db, *rp;
        uint64_t id;
    } live[] = {{"a", "two", 7}, {"a", "two", 11}, {"b", "two", 7}, {"b", "two", 12}};
    assert_int_equal(meta_live_shards(m), 4);
    for (size_t i = 0; i < 4; i++) {
        const char *db, *rp;
        uint64_t id;
        meta_live_shard_at(m, i, &db, &rp, &id);
        assert_string_equal(db, live[i].db);
        assert_string_equal(rp, live[i].rp);
        assert_int_equal(id, live[i].id);
    }
}

/* Once in a deleted group and once in another, in either order. */
static void test_listed_twice(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct wire m = {.n = 0}, d = database("a"), p = policy("two");
        cleanup(meta_freep) struct meta *meta = NULL;
        const char *db, *rp;
        uint64_t id;
        size_t i;
        header(&m);
        for (int k = 0; k < 2; k++) {
            struct wire g = group((uint64_t)k + 1, k == first ? 1500000000000000000 : 0, 7, 8);
            bytes(&p, 5, g.b, g.n);
        }
        bytes(&d, 3, p.b, p.n);
        bytes(&m, 5, d.b, d.n);
        assert_int_equal(meta_parse(m.b, m.n, &meta, NULL), 0);
        assert_int_equal(meta_shard(meta, "a", "two", 7), META_LIVE);
        assert_int_equal(meta_shard(meta, "a", "two", 8), META_LIVE);
        assert_int_equal(meta_live_shards(meta), 2);
        assert_true(meta_live_find(meta, "a", "two", 8, &i));
        meta_live_shard_at(meta, i, &db, &rp, &id);
        assert_int_equal(id, 8);
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct wire w = {.n = 0};
    header(&w);
    cleanup(meta_freep) struct meta *m = NULL;
    assert_int_equal(meta_parse(w.b, w.n, &m, NULL), 0);
    assert_int_equal(meta_databases(m), 0);
    assert_int_equal(meta_live_shards(m), 0);
    assert_int_equal(meta_shard(m, "a", "b", 1), META_UNKNOWN);
    meta_free(NULL);
}

static void refuses(const struct wire *w, const char *words)
{
    struct meta *m = NULL;
    struct err e = {0};
    assert_int_equal(meta_parse(w->b, w->n, &m, &e), -EBADMSG);
    assert_null(m);
    assert_non_null(strstr(e.text, words));
}

static void test_damaged(void **state)
{
    (void)state;
    struct wire none = {.n = 0}, m = {.n = 0}, d = {.n = 0};
    refuses(&none, "damaged");
    header(&m);
    m.n -= 2;
    refuses(&m, "damaged"); /* a required field is missing */
    static const char *const names[] = {"", "..", "a/b"};
    for (size_t i = 0; i < 3; i++) {
        m.n = 0;
        header(&m);
        d = database(names[i]);
        bytes(&m, 5, d.b, d.n);
        refuses(&m, "name of a database");
    }
    m.n = 0;
    header(&m);
    d = database("a");
    struct wire p = policy("x/y");
    bytes(&d, 3, p.b, p.n);
    bytes(&m, 5, d.b, d.n);
    refuses(&m, "name of a retention policy");
}

static void test_hostile(void **state)
{
    (void)state;
    struct wire w = sample();
    for (size_t i = 0; i < w.n; i++)
        for (int c = 0; c < 256; c++) {
            size_t len = c ? w.n : i;
            autofree uint8_t *copy = malloc(len + 1);
            memcpy(copy, w.b, len);
            copy[i < len ? i : len] = (uint8_t)c;
            cleanup(meta_freep) struct meta *m = NULL;
            meta_parse(copy, len, &m, NULL);
        }
    /* Two bytes a policy claim a hundred of memory; none of them is complete anyway. */
    size_t n = 1 << 20;
    autofree uint8_t *many = malloc(n);
    for (size_t i = 0; i < n; i += 2)
        memcpy(many + i, "\x2a\x00", 2);
    struct meta *m = NULL;
    assert_true(meta_parse(many, n, &m, NULL) < 0);
    assert_int_equal(meta_parse(many, (size_t)META_DB_MAX + 1, &m, NULL), -EFBIG);
}

static void test_thousands(void **state)
{
    (void)state;
    size_t count = 50000;
    Influxfs__Meta__Data d = INFLUXFS__META__DATA__INIT;
    Influxfs__Meta__Database db = INFLUXFS__META__DATABASE__INIT, *dbs = &db;
    Influxfs__Meta__Policy rp = INFLUXFS__META__POLICY__INIT, *rps = &rp;
    Influxfs__Meta__ShardGroup *g = calloc(count, sizeof(*g)), **gs = calloc(count, sizeof(*gs));
    Influxfs__Meta__Shard *s = calloc(count, sizeof(*s)), **ss = calloc(count, sizeof(*ss));
    for (size_t i = 0; i < count; i++) {
        influxfs__meta__shard_group__init(&g[i]);
        influxfs__meta__shard__init(&s[i]);
        gs[i] = &g[i];
        ss[i] = &s[i];
        s[i].id = count - i;
        g[i].n_shards = 1;
        g[i].shards = &ss[i];
        g[i].deleted_at = i % 2;
    }
    rp.name = db.name = db.default_policy = (char *)"x";
    rp.n_shard_groups = count;
    rp.shard_groups = gs;
    db.n_policies = d.n_databases = 1;
    db.policies = &rps;
    d.databases = &dbs;
    size_t len = influxfs__meta__data__get_packed_size(&d);
    autofree uint8_t *buf = malloc(len);
    influxfs__meta__data__pack(&d, buf);
    cleanup(meta_freep) struct meta *m = NULL;
    assert_int_equal(meta_parse(buf, len, &m, NULL), 0);
    assert_int_equal(meta_live_shards(m), count / 2);
    for (uint64_t id = 1; id <= count; id++)
        assert_int_equal(meta_shard(m, "x", "x", id), id % 2 ? META_DELETED : META_LIVE);
    free(g);
    free(gs);
    free(s);
    free(ss);
}

static void test_names(void **state)
{
    (void)state;
    uint64_t id = 5;
    char tsm[NAME_MAX + 1];
    assert_true(name_is_shard("18446744073709551615", &id) && id == UINT64_MAX);
    assert_true(name_is_shard("0", NULL));
    static const char *const no_shard[] = {"",  "18446744073709551616", "007", "+1", "-1", "1.tmp",
                                           " 1"};
    for (size_t i = 0; i < sizeof(no_shard) / sizeof(no_shard[0]); i++)
        assert_false(name_is_shard(no_shard[i], &id));
    assert_true(id == UINT64_MAX);
    assert_true(name_is_tsm("000000001-000000002.tsm"));
    assert_true(name_is_tsm("4294967295-0.tsm"));
    static const char *const no_tsm[] = {"",
                                         "x.tsm",
                                         "1.tsm",
                                         "1-.tsm",
                                         "-1.tsm",
                                         "4294967296-1.tsm",
                                         "1-1.tsm.tmp",
                                         "1-1.tsm.bad",
                                         "1-1",
                                         "1-1.x.tsm"};
    for (size_t i = 0; i < sizeof(no_tsm) / sizeof(no_tsm[0]); i++)
        assert_false(name_is_tsm(no_tsm[i]));
    assert_true(name_is_tombstone("000000001-000000002.tombstone"));
    assert_false(name_is_tombstone("tombstone123"));
    assert_false(name_is_tombstone("1-1.tombstone.tmp"));
    assert_true(name_is_wal("_00001.wal") && name_is_wal("_100000.wal"));
    assert_false(name_is_wal("") || name_is_wal("_.wal") || name_is_wal("00001.wal") ||
                 name_is_wal("_1.wal.tmp") || name_is_wal("_99999999999.wal"));
    assert_true(name_is_hidden(".influxfs") && !name_is_hidden(".influxfs2"));
    assert_true(name_is_series("_series") && !name_is_series("series"));
    assert_true(name_tsm_of("000000001-000000002.tombstone", tsm));
    assert_string_equal(tsm, "000000001-000000002.tsm");
    assert_false(name_tsm_of("x.tombstone", tsm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards),  cmocka_unit_test(test_listed_twice),
        cmocka_unit_test(test_empty),   cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_thousands),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
