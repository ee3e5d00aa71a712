/* SPDX-License-Identifier: MIT */
/* metaedit: a meta.db that is changed. What it prints is read by code generated from meta.proto and
 * by a splitter of fields that is written here, not by what is tested. */
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/influx/meta.pb-c.h"
#include "store/influx/metaedit.h"
#include "tests/unit/fixture_files.h"
#include "tests/unit/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY INT64_C(86400000000000)

typedef Influxfs__Meta__Data pb_data;
typedef Influxfs__Meta__Database pb_database;
typedef Influxfs__Meta__Policy pb_policy;
typedef Influxfs__Meta__ShardGroup pb_group;
typedef struct metaedit_item item;

/* ---- the other readers ---- */

static uint64_t read_varint(const uint8_t *p, size_t *i)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        v |= (uint64_t)(p[*i] & 0x7f) << shift;
        if (p[(*i)++] < 0x80)
            return v;
    }
}

/* The place, after *i, of the next field with this number, which is a message or text. */
static bool split(const uint8_t *p, size_t n, size_t *i, uint64_t number, size_t *start)
{
    while (*i < n) {
        *start = *i;
        uint64_t key = read_varint(p, i);
        uint64_t v = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : read_varint(p, i);
        *i += (key & 7) == 0 ? 0 : v;
        if (key == (number << 3 | 2))
            return true;
    }
    return false;
}

/* The database of this name as it stands in the file; NULL if there is none. */
static const uint8_t *raw_database(const uint8_t *p, size_t n, const char *name, size_t *len)
{
    size_t i = 0, start;
    while (split(p, n, &i, 5, &start)) {
        size_t at = start, in = 0, field = 0;
        read_varint(p, &at);
        read_varint(p, &at);
        assert_true(split(p + at, i - at, &in, 1, &field));
        field++;
        size_t k = (size_t)read_varint(p + at, &field);
        *len = i - start;
        if (k == strlen(name) && memcmp(p + at + field, name, k) == 0)
            return p + start;
    }
    return NULL;
}

static pb_data *parse(const void *p, size_t n)
{
    pb_data *d = influxfs__meta__data__unpack(NULL, n, p);
    assert_non_null(d);
    return d;
}

static const pb_database *pb_find(const pb_data *d, const char *name)
{
    for (size_t i = 0; i < d->n_databases; i++)
        if (strcmp(d->databases[i]->name, name) == 0)
            return d->databases[i];
    return NULL;
}

struct ids {
    uint64_t *list;
    size_t n, empty; /* groups without shards */
};

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void all_different(uint64_t *list, size_t n, uint64_t max, const char *what)
{
    qsort(list, n, sizeof(*list), by_number);
    for (size_t i = 1; i < n; i++)
        if (list[i] == list[i - 1])
            fail_msg("%s %" PRIu64 " stands twice", what, list[i]);
    if (n && list[n - 1] > max)
        fail_msg("%s %" PRIu64 " is above the highest, %" PRIu64, what, list[n - 1], max);
}

/* What must hold after any change; `empty`: groups that had no shard from the first. */
static void check_ids(const pb_data *d, size_t empty)
{
    uint64_t *groups = calloc(200000, sizeof(*groups)), *shards = calloc(200000, sizeof(*shards));
    size_t ngroups = 0, nshards = 0, without = 0;
    for (size_t i = 0; i < d->n_databases; i++)
        for (size_t j = 0; j < d->databases[i]->n_policies; j++) {
            const pb_policy *p = d->databases[i]->policies[j];
            for (size_t k = 0; k < p->n_shard_groups; k++) {
                const pb_group *g = p->shard_groups[k];
                groups[ngroups++] = g->id;
                without += g->n_shards == 0;
                for (size_t s = 0; s < g->n_shards; s++)
                    shards[nshards++] = g->shards[s]->id;
            }
        }
    all_different(groups, ngroups, d->max_shard_group_id, "group");
    all_different(shards, nshards, d->max_shard_id, "shard");
    assert_true(without <= empty);
    free(groups);
    free(shards);
}

struct printed {
    void *p;
    size_t n;
    pb_data *d;
};

static struct printed print(const struct metaedit *m)
{
    struct printed out;
    struct err e = {""};
    assert_int_equal(metaedit_print(m, &out.p, &out.n, &e), 0);
    out.d = parse(out.p, out.n);
    return out;
}

static void forget(struct printed *p)
{
    influxfs__meta__data__free_unpacked(p->d, NULL);
    free(p->p);
}

static struct metaedit *opened(const void *p, size_t n)
{
    struct metaedit *m = NULL;
    struct err e = {""};
    int r = metaedit_open(p, n, &m, &e);
    if (r < 0)
        fail_msg("%d %s", r, e.text);
    return m;
}

/* ---- a meta.db with what there may be ---- */

static void put_shard(struct wire *g, uint64_t id)
{
    struct wire s = {.n = 0}, owner = {.n = 0};
    number(&s, 1, id);
    number(&owner, 1, 4);
    number(&s, 2, 3); /* the deprecated owner */
    bytes(&s, 3, owner.b, owner.n);
    text(&s, 94, "of a shard");
    bytes(g, 5, s.b, s.n);
}

static void put_group(struct wire *p, uint64_t id, int64_t day, uint64_t deleted, unsigned shards)
{
    struct wire g = {.n = 0};
    text(&g, 93, "before all");
    number(&g, 1, id);
    number(&g, 2, (uint64_t)(day * DAY));
    number(&g, 3, (uint64_t)((day + 1) * DAY));
    for (unsigned i = 0; i < shards; i++)
        put_shard(&g, 10 * id + i);
    number(&g, 4, deleted);
    if (id % 3 == 0)
        number(&g, 6, (uint64_t)(day * DAY + DAY / 2));
    /* A number and a length in more bytes than they need. */
    varint(p, 5 << 3 | 2);
    p->b[p->n - 1] |= 0x80;
    p->b[p->n++] = 0;
    varint(p, g.n | 1 << 14);
    p->b[p->n - 1] = 0;
    memcpy(p->b + p->n, g.b, g.n);
    p->n += g.n;
}

static void put_database(struct wire *m, const char *name, uint64_t first)
{
    struct wire d = {.n = 0}, p = {.n = 0}, q = {.n = 0}, s = {.n = 0};
    char query[200];
    text(&p, 1, "rp");
    number(&p, 2, 0);
    number(&p, 3, (uint64_t)DAY);
    number(&p, 4, 1);
    put_group(&p, first, -2, 0, 1);
    put_group(&p, first + 1, 0, 1, 1); /* deleted */
    text(&s, 1, "sub");
    text(&s, 2, "ALL");
    text(&s, 3, "udp://a:1");
    bytes(&p, 6, s.b, s.n);
    put_group(&p, first + 2, 1, 0, 2); /* of Enterprise */
    put_group(&p, first + 3, 3, 0, 0); /* likewise */
    number(&p, 7, 60);
    number(&p, 8, 61);
    text(&d, 97, "of a database");
    bytes(&d, 3, p.b, p.n);
    text(&d, 1, name);
    text(&d, 2, "rp");
    snprintf(query, sizeof(query),
             "CREATE CONTINUOUS QUERY q ON \"%s\" BEGIN SELECT mean(v) INTO \"%s\".rp.m FROM "
             "\"%s\".rp.n GROUP BY time(1m) END",
             name, name, name);
    text(&q, 1, "q");
    text(&q, 2, query);
    bytes(&d, 4, q.b, q.n);
    q.n = 0;
    text(&q, 1, "away");
    text(&q, 2,
         "CREATE CONTINUOUS QUERY away ON x BEGIN SELECT mean(v) INTO elsewhere.rp.m FROM n END");
    bytes(&d, 4, q.b, q.n);
    bytes(m, 5, d.b, d.n);
}

static void put_user(struct wire *m, const char *name, bool admin, const char *db, int privilege)
{
    struct wire u = {.n = 0}, g = {.n = 0};
    text(&u, 1, name);
    text(&u, 2, "$2a$10$hash");
    number(&u, 3, admin);
    if (db) {
        text(&g, 1, db);
        number(&g, 2, (uint64_t)privilege);
        bytes(&u, 4, g.b, g.n);
    }
    text(&u, 92, "of a user");
    bytes(m, 6, u.b, u.n);
}

/* Its MaxShardID is lower than what is used. */
static struct wire sample(void)
{
    struct wire m = {.n = 0}, node = {.n = 0};
    text(&m, 96, "first");
    header(&m);
    number(&node, 1, 3);
    bytes(&m, 4, node.b, node.n);
    put_user(&m, "reader", false, "one", 1);
    put_database(&m, "one", 10);
    text(&m, 95, "between");
    put_database(&m, "two", 20);
    put_user(&m, "root", true, NULL, 0);
    put_user(&m, "both", false, "two", 3);
    text(&m, 96, "the end");
    return m;
}

static const item *database(const struct metaedit *m, const char *name)
{
    const item *db = metaedit_find(m, NULL, METAEDIT_DATABASE, name);
    assert_non_null(db);
    return db;
}

static const item *policy(const struct metaedit *m, const char *name)
{
    return metaedit_first(m, database(m, name), METAEDIT_POLICY);
}

/* ---- the tests ---- */

static void check_unchanged(const void *p, size_t n)
{
    cleanup(metaedit_freep) struct metaedit *m = opened(p, n);
    struct printed out = print(m);
    assert_int_equal(out.n, n);
    assert_memory_equal(out.p, p, n);
    forget(&out);
}

static void test_unchanged(void **state)
{
    struct wire w = sample();
    (void)state;
    check_unchanged(w.b, w.n);
}

static void test_walk(void **state)
{
    struct wire w = sample();
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    const item *one = database(m, "one"), *rp = policy(m, "one"), *g, *s;
    (void)state;
    assert_string_equal(one->default_policy, "rp");
    assert_null(metaedit_up(one));
    assert_ptr_equal(metaedit_up(rp), one);
    assert_true(rp->rules.is_default && rp->rules.shard_duration == DAY && rp->rules.replicas == 1);
    g = metaedit_first(m, rp, METAEDIT_GROUP);
    assert_true(g->id == 10 && g->start == -2 * DAY && g->end == -DAY && !g->deleted);
    g = metaedit_next(metaedit_next(g));
    assert_true(g->id == 12 && g->truncated == DAY * 3 / 2);
    s = metaedit_next(metaedit_first(m, g, METAEDIT_SHARD));
    assert_true(s->id == 121 && !metaedit_next(s));
    s = metaedit_first(m, rp, METAEDIT_SUBSCRIPTION);
    assert_string_equal(s->text, "ALL");
    assert_string_equal(metaedit_first(m, s, METAEDIT_DESTINATION)->name, "udp://a:1");
    s = metaedit_find(m, NULL, METAEDIT_USER, "both");
    assert_true(!s->admin && strcmp(s->text, "$2a$10$hash") == 0);
    assert_true(metaedit_first(m, s, METAEDIT_GRANT)->privilege == 3);
    s = metaedit_find(m, one, METAEDIT_QUERY, "away");
    assert_non_null(strstr(s->text, "elsewhere"));
    assert_true(metaedit_find(m, NULL, METAEDIT_USER, "root")->admin);
    assert_null(metaedit_find(m, NULL, METAEDIT_USER, "one"));
}

/* The whole is what it was, but for the database and the counters. */
static void test_remove(void **state)
{
    struct wire w = sample(), expected = {.n = 0};
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    size_t len = 0;
    const uint8_t *gone = raw_database(w.b, w.n, "one", &len);
    (void)state;
    metaedit_remove(m, database(m, "one"));
    struct printed out = print(m);
    size_t before = (size_t)(gone - w.b);
    memcpy(expected.b, w.b, before);
    memcpy(expected.b + before, gone + len, w.n - before - len);
    /* Index (the second of header()), MaxShardGroupID and MaxShardID, of one byte each. */
    const uint8_t *counters = memchr(expected.b, 1 << 3, 20);
    uint8_t *c = expected.b + (counters - expected.b);
    assert_true(c[2] == 2 << 3 && c[8] == 8 << 3 && c[10] == 9 << 3);
    c[3]++;
    c[9] = 23;
    expected.n = w.n - len;
    memmove(c + 13, c + 12, expected.n - (size_t)(c + 12 - expected.b));
    expected.n++;
    c[11] = 0x80 | (221 & 0x7f);
    c[12] = 221 >> 7;
    assert_int_equal(out.d->max_shard_id, 221);
    /* It was the highest of the ids that were ever there that counts. */
    assert_int_equal(out.n, expected.n);
    assert_memory_equal(out.p, expected.b, expected.n);
    forget(&out);
}

static bool only_one(void *arg, const char *db)
{
    (void)arg;
    return strcmp(db, "one") == 0;
}

static bool not_120(void *arg, const char *db, const char *rp, uint64_t id, int64_t start,
                    int64_t end)
{
    (void)arg;
    assert_string_equal(db, "one");
    assert_string_equal(rp, "rp");
    assert_true(end - start == DAY);
    return id != 120;
}

static void test_keep(void **state)
{
    struct wire w = sample();
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    struct metaedit_choice c = {.database = only_one, .shard = not_120, .users = true};
    struct err e = {""};
    (void)state;
    assert_int_equal(metaedit_keep(m, &c, &e), 0);
    struct printed out = print(m);
    const pb_database *one = pb_find(out.d, "one");
    assert_int_equal(out.d->n_databases, 1);
    assert_int_equal(one->policies[0]->n_shard_groups, 2);
    assert_int_equal(one->policies[0]->shard_groups[1]->n_shards, 1);
    assert_int_equal(one->policies[0]->shard_groups[1]->shards[0]->id, 121);
    assert_int_equal(one->n_continuous_queries, 2);
    assert_int_equal(one->policies[0]->n_subscriptions, 1);
    assert_int_equal(out.d->n_users, 2);
    assert_string_equal(out.d->users[0]->name, "reader");
    assert_string_equal(out.d->users[1]->name, "root");
    check_ids(out.d, 0);
    forget(&out);
    c.users = false;
    assert_int_equal(metaedit_keep(m, &c, &e), 0);
    out = print(m);
    assert_int_equal(out.d->n_users, 0);
    forget(&out);
}

static bool no_policy(void *arg, const char *db, const char *rp)
{
    (void)db;
    return strcmp(rp, arg) != 0;
}

static void test_default_follows(void **state)
{
    struct wire w = sample();
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    const struct meta_rules rules = {0, DAY, 1, false};
    char rp[] = "rp";
    struct metaedit_choice c = {.policy = no_policy, .arg = rp};
    const item *other;
    struct err e = {""};
    (void)state;
    assert_int_equal(metaedit_add_policy(m, database(m, "one"), "other", &rules, &other, &e), 0);
    assert_int_equal(metaedit_keep(m, &c, &e), 0);
    assert_true(other->rules.is_default);
    struct printed out = print(m);
    assert_string_equal(pb_find(out.d, "one")->default_policy, "other");
    assert_string_equal(pb_find(out.d, "two")->default_policy, "");
    forget(&out);
}

/* A shard that was the last one of its group takes it along. */
static void test_remove_shards(void **state)
{
    struct wire w = sample();
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    const item *group = metaedit_first(m, policy(m, "two"), METAEDIT_GROUP);
    (void)state;
    group = metaedit_next(metaedit_next(group));
    metaedit_remove(m, metaedit_first(m, group, METAEDIT_SHARD));
    metaedit_remove(m, metaedit_first(m, group, METAEDIT_SHARD));
    struct printed out = print(m);
    assert_int_equal(pb_find(out.d, "two")->policies[0]->n_shard_groups, 3);
    check_ids(out.d, 2);
    forget(&out);
}

/* Who has a grant on "one" there and not here, by name: "reader" (a user here), "stranger". */
static void check_missing(const struct metaedit *m, const struct metaedit *from, const char *here,
                          bool reader, bool stranger)
{
    struct metaedit_holder *list = NULL;
    size_t n = 0, i = 0;
    struct err e = {""};
    assert_int_equal(metaedit_compare_grants(m, from, "one", here, &list, &n, &e), 0);
    assert_int_equal(n, (size_t)reader + stranger);
    if (reader) {
        assert_string_equal(list[i].user, "reader");
        assert_true(list[i].here && list[i].privilege == 1);
        i++;
    }
    if (stranger) {
        assert_string_equal(list[i].user, "stranger");
        assert_true(!list[i].here && list[i].privilege == 2);
    }
    free(list);
}

static void test_copy_same_name(void **state)
{
    struct wire w = sample();
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    cleanup(metaedit_freep) struct metaedit *from = opened(w.b, w.n);
    struct metaedit_copied c = {0};
    struct err e = {""};
    (void)state;
    assert_int_equal(metaedit_copy_database(m, from, database(from, "one"), NULL, &c, &e), -EEXIST);
    metaedit_remove(m, database(m, "one"));
    assert_int_equal(metaedit_copy_database(m, from, database(from, "one"), NULL, &c, &e), 0);
    assert_int_equal(c.nshards, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c.shards[i].from, c.shards[i].to); /* they were free again */
    assert_int_equal(c.nqueries, 2);
    assert_int_equal(c.queries[1].fate, METAEDIT_SAME);
    assert_int_equal(c.subscriptions + c.granted, 0);
    struct printed out = print(m);
    const pb_database *one = pb_find(out.d, "one");
    assert_int_equal(one->policies[0]->n_subscriptions, 1);
    assert_int_equal(one->policies[0]->n_shard_groups, 2);
    assert_int_equal(one->policies[0]->shard_groups[1]->n_shards, 2);
    assert_int_equal(one->policies[0]->shard_groups[1]->shards[1]->owners[0]->node_id, 4);
    check_ids(out.d, 1);
    forget(&out);
    metaedit_copied_clear(&c);
    check_missing(m, from, "one", false, false);
    metaedit_revoke(m, "one"); /* as influxd does when it drops the database */
    check_missing(m, from, "one", true, false);
    metaedit_remove(m, database(m, "one"));
    assert_int_equal(metaedit_copy_database(m, from, database(from, "one"), "one", &c, &e), 0);
    assert_true(c.granted == 1 && c.subscriptions == 1 && c.nqueries == 2);
    assert_int_equal(c.queries[0].fate, METAEDIT_SAME);
    assert_int_equal(c.queries[1].fate, METAEDIT_LEFT_OUT);
    check_missing(m, from, "one", false, false);
    metaedit_copied_clear(&c);
}

static void test_copy_other_name(void **state)
{
    struct wire w = sample(), theirs = sample();
    put_user(&theirs, "stranger", false, "one", 2);
    put_user(&w, "both", false, NULL, 0); /* a second of the name is not seen by influxd */
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    cleanup(metaedit_freep) struct metaedit *from = opened(theirs.b, theirs.n);
    struct metaedit_copied c = {0};
    struct err e = {""};
    (void)state;
    assert_int_equal(metaedit_avoid(m, 222), 0);
    check_missing(m, from, "n\"ew", true, true);
    assert_int_equal(metaedit_copy_database(m, from, database(from, "one"), "../x", &c, &e),
                     -EINVAL);
    assert_int_equal(metaedit_copy_database(m, from, database(from, "one"), "n\"ew", &c, &e), 0);
    struct printed out = print(m);
    const pb_database *db = pb_find(out.d, "n\"ew");
    assert_int_equal(c.nshards, 3);
    const uint64_t was[] = {100, 120, 121};
    for (size_t i = 0; i < 3; i++)
        assert_true(c.shards[i].from == was[i] && c.shards[i].to == 223 + i);
    assert_int_equal(c.nqueries, 2);
    assert_true(c.queries[0].fate == METAEDIT_REWRITTEN && c.queries[1].fate == METAEDIT_LEFT_OUT);
    assert_non_null(strstr(c.queries[1].why, "elsewhere"));
    assert_int_equal(db->n_continuous_queries, 1);
    assert_non_null(strstr(db->continuous_queries[0]->query, "INTO \"n\\\"ew\".rp.m FROM "));
    assert_true(c.subscriptions == 1 && db->policies[0]->n_subscriptions == 0);
    assert_true(db->policies[0]->future_write_limit == 60);
    assert_int_equal(c.granted, 1);
    check_missing(m, from, "n\"ew", false, true);
    assert_int_equal(out.d->users[0]->n_privileges, 2);
    assert_string_equal(out.d->users[0]->privileges[1]->database, "n\"ew");
    check_ids(out.d, 2);
    forget(&out);
    metaedit_copied_clear(&c);
}

static void test_copy_parts(void **state)
{
    struct wire w = sample();
    cleanup(metaedit_freep) struct metaedit *m = opened(NULL, 0);
    cleanup(metaedit_freep) struct metaedit *from = opened(w.b, w.n);
    struct metaedit_copied c = {0};
    struct err e = {""};
    const item *db, *rp, *g, *made;
    (void)state;
    assert_int_equal(metaedit_add_database(m, "one", &db, &e), 0);
    assert_int_equal(metaedit_copy_policy(m, policy(from, "one"), db, &c, &e), 0);
    assert_int_equal(metaedit_copy_policy(m, policy(from, "one"), db, &c, &e), -EEXIST);
    assert_string_equal(db->default_policy, "rp");
    rp = policy(m, "one");
    assert_true(rp->rules.is_default && metaedit_first(m, rp, METAEDIT_SUBSCRIPTION));
    g = metaedit_first(from, policy(from, "two"), METAEDIT_GROUP);
    assert_int_equal(metaedit_copy_group(m, g, rp, &c, &made, &e), 0);
    assert_int_equal(metaedit_copy_group(m, g, rp, &c, &made, &e), 0);
    assert_int_equal(metaedit_copy_group(m, metaedit_next(g), rp, &c, &made, &e), -EINVAL);
    assert_int_equal(c.nshards, 5);
    assert_true(c.shards[3].to == 200 && c.shards[4].to == 201);
    struct printed out = print(m);
    const pb_policy *p = pb_find(out.d, "one")->policies[0];
    assert_int_equal(p->n_shard_groups, 4);
    for (size_t i = 1; i < 4; i++)
        assert_true(p->shard_groups[i - 1]->end_time <= p->shard_groups[i]->end_time);
    check_ids(out.d, 0);
    forget(&out);
    metaedit_copied_clear(&c);
}

/* The same shard in two groups of a policy is one folder, which cannot become two. */
static void test_copy_twice_listed(void **state)
{
    struct wire w = {.n = 0}, d = {.n = 0}, p = {.n = 0}, g = {.n = 0};
    cleanup(metaedit_freep) struct metaedit *m = opened(NULL, 0);
    struct err e = {""};
    (void)state;
    header(&w);
    text(&p, 1, "rp");
    for (unsigned i = 2; i <= 4; i++)
        number(&p, i, 1);
    for (unsigned i = 0; i < 2; i++) {
        g.n = 0;
        number(&g, 1, i);
        number(&g, 2, i);
        number(&g, 3, i + 1);
        number(&g, 4, 0);
        put_shard(&g, 7);
        bytes(&p, 5, g.b, g.n);
    }
    text(&d, 1, "db");
    text(&d, 2, "rp");
    bytes(&d, 3, p.b, p.n);
    bytes(&w, 5, d.b, d.n);
    cleanup(metaedit_freep) struct metaedit *from = opened(w.b, w.n);
    assert_int_equal(metaedit_copy_database(m, from, database(from, "db"), "db", NULL, &e),
                     -EBADMSG);
    assert_non_null(strstr(e.text, "shard 7"));
}

static void check_group(const struct metaedit *m, const item *rp, int64_t time, int64_t start,
                        int64_t end)
{
    const item *g;
    struct err e = {""};
    assert_int_equal(metaedit_group_for((struct metaedit *)m, rp, time, &g, &e), 0);
    if (g->start != start || g->end != end)
        fail_msg("the group of %" PRId64 " is %" PRId64 " %" PRId64, time, g->start, g->end);
    assert_ptr_equal(metaedit_group_at(m, rp, time), g);
    assert_true(metaedit_first(m, g, METAEDIT_SHARD)->id > 0);
}

static void test_group_for(void **state)
{
    const struct meta_rules week = {0, 7 * DAY, 1, true};
    struct wire w = sample();
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    const item *db, *rp;
    struct err e = {""};
    (void)state;
    check_group(m, policy(m, "one"), -2 * DAY, -2 * DAY, -DAY);          /* there */
    check_group(m, policy(m, "one"), 0, INT64_C(0), DAY);                /* only a deleted one */
    check_group(m, policy(m, "one"), DAY * 3 / 2, DAY * 3 / 2, 2 * DAY); /* after a truncation */
    assert_int_equal(metaedit_add_database(m, "weeks", &db, &e), 0);
    assert_int_equal(metaedit_add_policy(m, db, "w", &week, &rp, &e), 0);
    /* 2016-06-11 was a Saturday; weeks begin on Mondays. */
    check_group(m, rp, INT64_C(1465603200) * 1000000000, INT64_C(1465171200) * 1000000000,
                INT64_C(1465776000) * 1000000000);
    check_group(m, rp, INT64_MAX - 1, INT64_C(9222940800) * 1000000000, INT64_MAX);
}

static void test_changes(void **state)
{
    struct wire w = sample();
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    const item *g = metaedit_first(m, policy(m, "one"), METAEDIT_GROUP), *s;
    const item *user = metaedit_find(m, NULL, METAEDIT_USER, "reader");
    struct err e = {""};
    (void)state;
    s = metaedit_first(m, g, METAEDIT_SHARD);
    assert_int_equal(metaedit_renumber(m, s, 121, &e), -EEXIST);
    assert_int_equal(metaedit_renumber(m, s, 0, &e), 0);
    assert_int_equal(s->id, 222);
    assert_int_equal(metaedit_grant(m, user, "one", 1, &e), 0);
    assert_int_equal(metaedit_grant(m, user, "one", 2, &e), 0);
    assert_int_equal(metaedit_grant(m, user, "two", 1, &e), 0);
    metaedit_revoke(m, "two");
    struct printed out = print(m);
    const pb_policy *p = pb_find(out.d, "one")->policies[0];
    assert_int_equal(p->n_shard_groups, 4);
    assert_int_equal(p->shard_groups[0]->id, 10);
    assert_int_equal(p->shard_groups[0]->shards[0]->id, 222);
    assert_int_equal(p->shard_groups[0]->shards[0]->owners[0]->node_id, 4);
    assert_int_equal(out.d->users[0]->n_privileges, 1);
    assert_int_equal(out.d->users[0]->privileges[0]->privilege, 3);
    assert_int_equal(out.d->users[2]->n_privileges, 0);
    check_ids(out.d, 2);
    forget(&out);
}

static void test_refused(void **state)
{
    struct wire w = sample();
    struct metaedit *m;
    struct err e = {""};
    (void)state;
    assert_int_equal(metaedit_open(w.b, w.n - 1, &m, &e), -EBADMSG);
    struct wire nul = {.n = 0}, d = {.n = 0};
    header(&nul);
    bytes(&d, 1, "a\0b", 3);
    text(&d, 2, "");
    bytes(&nul, 5, d.b, d.n);
    assert_int_equal(metaedit_open(nul.b, nul.n, &m, &e), -EBADMSG);
    assert_true(e.text[0]);
}

/* ---- random walks ---- */

static uint32_t seed;

static uint32_t dice(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % n;
}

/* Databases that no step has changed, and their bytes. */
struct kept {
    char *name;
    void *p;
    size_t n;
};
struct walk {
    struct metaedit *m, *from;
    struct kept kept[64];
    size_t n, empty;
    unsigned copies;
};

static void walk_forget(struct walk *w, const char *name)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->kept[i].name && strcmp(w->kept[i].name, name) == 0) {
            free(w->kept[i].name);
            free(w->kept[i].p);
            w->kept[i] = (struct kept){0};
        }
}

static const item *any(const struct metaedit *m, const item *in, enum metaedit_kind kind)
{
    const item *it = metaedit_first(m, in, kind);
    size_t n = 0;
    for (const item *i = it; i; i = metaedit_next(i))
        n++;
    for (size_t k = n ? dice((uint32_t)n) : 0; k; k--)
        it = metaedit_next(it);
    return it;
}

static void walk_step(struct walk *w)
{
    const item *db = any(w->m, NULL, METAEDIT_DATABASE), *made;
    const item *rp = db ? any(w->m, db, METAEDIT_POLICY) : NULL;
    const item *g = rp ? any(w->m, rp, METAEDIT_GROUP) : NULL;
    const item *s = g ? any(w->m, g, METAEDIT_SHARD) : NULL;
    struct metaedit_copied copied = {0};
    struct err e = {""};
    char name[40];
    int r = 0;
    switch (dice(8)) {
    case 0:
        if (db && w->n > 2 && dice(4) == 0) {
            walk_forget(w, db->name);
            metaedit_remove(w->m, db);
        }
        break;
    case 1: {
        const item *their = any(w->from, NULL, METAEDIT_DATABASE);
        snprintf(name, sizeof(name), "copy %u", w->copies++);
        r = metaedit_copy_database(w->m, w->from, their, name, &copied, &e);
        break;
    }
    case 2:
        if (rp) {
            walk_forget(w, db->name);
            r = metaedit_group_for(w->m, rp, ((int64_t)dice(4000) - 2000) * DAY / 3, &made, &e);
        }
        break;
    case 3:
        if (s) {
            walk_forget(w, db->name);
            r = metaedit_renumber(w->m, s, dice(2) ? 0 : dice(100000), &e);
            r = r == -EEXIST ? 0 : r;
        }
        break;
    case 4:
        if (s) {
            walk_forget(w, db->name);
            metaedit_remove(w->m, s);
        }
        break;
    case 6:
        if (g) {
            walk_forget(w, db->name);
            r = metaedit_add_shard(w->m, g, 0, &made, &e);
        }
        break;
    case 7: {
        const struct meta_rules rules = {dice(3) * DAY, DAY, 1, dice(2)};
        snprintf(name, sizeof(name), "policy %u", w->copies++);
        if (db) {
            walk_forget(w, db->name);
            r = metaedit_add_policy(w->m, db, name, &rules, &made, &e);
        }
        break;
    }
    case 5: {
        const item *their = any(w->from, any(w->from, NULL, METAEDIT_DATABASE), METAEDIT_POLICY);
        const item *group = their ? any(w->from, their, METAEDIT_GROUP) : NULL;
        if (rp && group && !group->deleted && metaedit_first(w->from, group, METAEDIT_SHARD)) {
            walk_forget(w, db->name);
            r = metaedit_copy_group(w->m, group, rp, &copied, &made, &e);
        }
        break;
    }
    }
    if (r < 0)
        fail_msg("%d %s", r, e.text);
    metaedit_copied_clear(&copied);
}

static void walk_check(const struct walk *w)
{
    struct printed out = print(w->m);
    check_ids(out.d, w->empty);
    for (size_t i = 0; i < w->n; i++) {
        size_t n = 0;
        if (!w->kept[i].name)
            continue;
        const uint8_t *p = raw_database(out.p, out.n, w->kept[i].name, &n);
        assert_non_null(p);
        assert_int_equal(n, w->kept[i].n);
        assert_memory_equal(p, w->kept[i].p, n);
    }
    /* What is read again says the same. */
    cleanup(metaedit_freep) struct metaedit *again = opened(out.p, out.n);
    size_t here = 0, there = 0;
    for (const item *i = metaedit_first(w->m, NULL, METAEDIT_DATABASE); i; i = metaedit_next(i))
        here++;
    for (const item *i = metaedit_first(again, NULL, METAEDIT_DATABASE); i; i = metaedit_next(i))
        there++;
    assert_int_equal(here, there);
    assert_int_equal(here, out.d->n_databases);
    check_unchanged(out.p, out.n);
    forget(&out);
}

static void walk(const void *p, size_t n, uint32_t start)
{
    struct walk w = {.m = opened(p, n), .from = opened(p, n)};
    pb_data *d = parse(p, n);
    const item *made;
    struct err e = {""};
    seed = start;
    for (size_t i = 0; i < d->n_databases && i < 64; i++) {
        const uint8_t *raw = raw_database(p, n, d->databases[i]->name, &w.kept[i].n);
        w.kept[i].name = strdup(d->databases[i]->name);
        w.kept[i].p = malloc(w.kept[i].n + 1);
        memcpy(w.kept[i].p, raw, w.kept[i].n);
        w.n++;
        for (size_t j = 0; j < d->databases[i]->n_policies; j++)
            for (size_t k = 0; k < d->databases[i]->policies[j]->n_shard_groups; k++)
                w.empty += !d->databases[i]->policies[j]->shard_groups[k]->n_shards;
    }
    influxfs__meta__data__free_unpacked(d, NULL);
    assert_int_equal(metaedit_add_database(w.m, "a change", &made, &e), 0);
    for (unsigned step = 0; step < 60; step++) {
        walk_step(&w);
        if (step % 3 == 0)
            walk_check(&w);
    }
    for (size_t i = 0; i < w.n; i++) {
        free(w.kept[i].name);
        free(w.kept[i].p);
    }
    metaedit_free(w.m);
    metaedit_free(w.from);
}

static void test_random(void **state)
{
    struct wire w = sample();
    (void)state;
    for (uint32_t start = 1; start <= 30; start++)
        walk(w.b, w.n, start * 2654435761U);
}

static void check_file(const char *name, char *bytes, size_t n)
{
    (void)name;
    check_unchanged(bytes, n);
    for (uint32_t start = 1; start <= 5; start++)
        walk(bytes, n, start * 40503U);
}

static void test_real(void **state)
{
    (void)state;
    assert_int_equal(fixture_files("/meta.db", check_file), FIXTURES);
}

/* After the highest id comes none: two shards of one id would be one folder. */
static void test_no_id_left(void **state)
{
    struct wire w = sample();
    cleanup(metaedit_freep) struct metaedit *m = opened(w.b, w.n);
    cleanup(metaedit_freep) struct metaedit *from = opened(w.b, w.n);
    struct metaedit_copied c = {0};
    struct err e = {""};
    const item *s;
    (void)state;
    const item *first = metaedit_first(m, policy(m, "one"), METAEDIT_GROUP);
    assert_int_equal(metaedit_add_shard(m, first, INT64_MAX - 1, &s, &e), 0);
    assert_int_equal(metaedit_renumber(m, s, 0, &e), 0);
    assert_int_equal(s->id, INT64_MAX);
    assert_int_equal(metaedit_renumber(m, s, 0, &e), -EBADMSG);
    assert_int_equal(metaedit_add_shard(m, first, 0, &s, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "there is a shard 9223372036854775807"));
    assert_int_equal(metaedit_copy_database(m, from, database(from, "one"), "new", &c, &e),
                     -EBADMSG);
    metaedit_copied_clear(&c);
}

/* A hundred thousand groups are made, copied and printed in a moment. */
static void test_many(void **state)
{
    cleanup(metaedit_freep) struct metaedit *m = opened(NULL, 0);
    cleanup(metaedit_freep) struct metaedit *to = opened(NULL, 0);
    const struct meta_rules rules = {0, DAY, 1, true};
    const item *db, *rp, *g, *s;
    struct err e = {""};
    (void)state;
    assert_int_equal(metaedit_add_database(m, "db", &db, &e), 0);
    assert_int_equal(metaedit_add_policy(m, db, "rp", &rules, &rp, &e), 0);
    for (int64_t i = 0; i < 100000; i++) {
        assert_int_equal(metaedit_add_group(m, rp, i * 3600, (i + 1) * 3600, &g, &e), 0);
        assert_int_equal(metaedit_add_shard(m, g, 0, &s, &e), 0);
    }
    assert_int_equal(metaedit_copy_database(to, m, db, "db", NULL, &e), 0);
    assert_int_equal(metaedit_copy_database(to, m, db, "again", NULL, &e), 0);
    struct printed out = print(to);
    assert_int_equal(out.d->max_shard_id, 200000);
    check_ids(out.d, 0);
    check_unchanged(out.p, out.n);
    forget(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_default_follows),
        cmocka_unit_test(test_remove_shards),
        cmocka_unit_test(test_copy_same_name),
        cmocka_unit_test(test_copy_other_name),
        cmocka_unit_test(test_copy_parts),
        cmocka_unit_test(test_copy_twice_listed),
        cmocka_unit_test(test_group_for),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_no_id_left),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
