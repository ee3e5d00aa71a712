/* SPDX-License-Identifier: MIT */
/* keypass: all passes together give what one without a limit gives, and each is bounded. */
#include "store/points/keypass.h"
#include "tests/unit/chance.h"
#include "tests/unit/snap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RECORDS 3000
#define GROUPS 40
#define ROUNDS 60

/* A record gives the key a number, and maybe bytes. */
struct record {
    char key[32];
    size_t ngroup;
    uint64_t number;
    bool bytes;
};

static struct record records[RECORDS];

/* Groups of very different sizes, of which some begin as others do. */
static void make_records(void)
{
    for (size_t i = 0; i < RECORDS; i++) {
        struct record *r = &records[i];
        uint64_t g = random64() % (random64() % GROUPS + 1);
        r->ngroup = (size_t)sprintf(r->key, "%.*s%c", (int)(g % 7), "aaaaaaa", (int)('a' + g / 7));
        sprintf(r->key + r->ngroup, "#%u", (unsigned)(random64() % (g % 3 ? 30 : 300)));
        r->number = i;
        r->bytes = random64() % 5 == 0;
    }
}

static void take_record(struct keypass *p, const struct record *r)
{
    const struct slice key = {r->key, strlen(r->key)};
    uint32_t at = 0;
    assert_int_equal(keypass_fit(p), 0);
    if (!keypass_wants(p, (struct slice){r->key, r->ngroup}))
        return;
    struct keypass_item *n = keypass_find(p, key);
    if (!n)
        n = keypass_add(p, key, r->ngroup);
    if (r->number % 50 == 0 && n->n > 0)
        keypass_leave(n, n->n / 3);
    if (r->bytes)
        assert_int_equal(keypass_put(p, n, r->key, key.n, &at), 0);
    if (r->bytes)
        assert_memory_equal(keypass_text(n) + at, r->key, key.n);
    assert_int_equal(keypass_push(p, n, &(struct keypass_thing){{r->number, ~r->number}}), 0);
}

static void put_items(struct buffer *out, const struct keypass *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct keypass_thing *things = keypass_list(p->items[i]);
        buffer_text(out, "%.*s", (int)p->items[i]->nkey, p->items[i]->key);
        for (size_t k = 0; k < p->items[i]->n; k++) {
            assert_true(things[k].words[1] == ~things[k].words[0]);
            buffer_text(out, " %u", (unsigned)things[k].words[0]);
        }
        buffer_text(out, "\n");
    }
}

static bool one_group(const struct keypass *p)
{
    return p->n == 0 ||
           slice_compare(keypass_group(p->items[0]), keypass_group(p->items[p->n - 1])) == 0;
}

/* Returns the number of passes. */
static size_t read_all(size_t memory, struct buffer *out)
{
    struct buffer from = {0};
    size_t passes = 0;
    for (bool more = true; more; passes++) {
        struct keypass p;
        assert_int_equal(keypass_init(&p, memory, (struct slice){from.p, from.n}), 0);
        for (size_t i = 0; i < RECORDS; i++)
            take_record(&p, &records[i]);
        assert_int_equal(keypass_fit(&p), 0);
        keypass_sort(&p);
        assert_true(memory == 0 || p.used <= memory || one_group(&p));
        for (size_t i = 0; i < p.n; i++)
            assert_int_equal(keypass_search(&p, keypass_group(p.items[i]), keypass_key(p.items[i])),
                             i);
        put_items(out, &p);
        more = keypass_end(&p).p != NULL;
        from.n = 0;
        buffer_add(&from, keypass_end(&p).p, keypass_end(&p).n);
        keypass_clear(&p);
    }
    buffer_add(out, "", 1);
    buffer_free(&from);
    return passes;
}

static void test_passes(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct buffer want = {0}, got = {0};
        make_records();
        assert_int_equal(read_all(0, &want), 1);
        assert_true(read_all(1 + random64() % 60000, &got) > 1);
        assert_string_equal(got.p, want.p);
        buffer_free(&want);
        buffer_free(&got);
    }
}

/* What a WAL or a tombstone file cannot name. */
static void test_long_key(void **state)
{
    static char key[KEYPASS_LONGEST + 1];
    struct keypass p;
    (void)state;
    memset(key, 'k', sizeof(key));
    assert_int_equal(keypass_init(&p, 0, (struct slice){NULL, 0}), 0);
    assert_null(keypass_find(&p, (struct slice){key, sizeof(key)}));
    assert_null(keypass_add(&p, (struct slice){key, sizeof(key)}, 1));
    assert_non_null(keypass_add(&p, (struct slice){key, sizeof(key) - 1}, sizeof(key) - 1));
    assert_non_null(keypass_find(&p, (struct slice){key, sizeof(key) - 1}));
    keypass_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_long_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
