/* SPDX-License-Identifier: MIT */
/* The journal of an exchange: written, read again, damaged, and of other folders. */
#include "store/restore/journal.h"

#include "tests/unit/targets.h"

#define ID "0123456789abcdef"

static int set_up(void **state)
{
    char *root = temp_folder();
    put(root, "meta/meta.db", "");
    put(root, "data/db/x", "");
    *state = root;
    return 0;
}

static int tear_down(void **state)
{
    tree_remove(*state);
    return 0;
}

/* Bit i of `bits`: whether target i lies inside, or is said to have existed. */
static void set_targets(struct targets *t, unsigned inside, unsigned existed, bool discard)
{
    for (int i = 0; i < TARGETS; i++) {
        t->at[i].inside = inside >> i & 1;
        t->at[i].existed = existed >> i & 1;
    }
    t->discard = discard;
}

static void round_trip(const char *root, enum journal_phase phase, unsigned bits, bool discard)
{
    cleanup(targets_freep) struct targets *t = open_targets(root);
    cleanup(targets_freep) struct targets *again = open_targets(root);
    enum journal_phase got = JOURNAL_NONE;
    char id[129];
    struct err e = {0};
    set_targets(t, bits, bits ^ 5, discard);
    if (journal_write(t, phase, ID, &e) < 0 || journal_read(again, &got, id, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(got, phase);
    assert_string_equal(id, ID);
    assert_int_equal(again->discard, discard);
    for (int i = 0; i < TARGETS; i++) {
        assert_int_equal(again->at[i].inside, t->at[i].inside);
        assert_int_equal(again->at[i].existed, t->at[i].existed);
    }
    assert_int_equal(journal_remove(t, &e), 0);
    assert_int_equal(journal_read(again, &got, id, &e), 0);
    assert_int_equal(got, JOURNAL_NONE);
    assert_string_equal(id, "");
}

static void test_round_trip(void **state)
{
    for (unsigned bits = 0; bits < 8; bits++) {
        round_trip(*state, JOURNAL_PREPARED, bits, bits & 1);
        round_trip(*state, JOURNAL_EXCHANGE, bits, !(bits & 1));
    }
}

/* The newest is what counts, and what was being written is removed with it. */
static void test_replaced(void **state)
{
    const char *root = *state;
    cleanup(targets_freep) struct targets *t = open_targets(root);
    enum journal_phase phase;
    char id[129];
    struct err e;
    assert_int_equal(journal_write(t, JOURNAL_PREPARED, ID, &e), 0);
    assert_int_equal(journal_write(t, JOURNAL_EXCHANGE, "other", &e), 0);
    put(root, "meta.influxfs-journal.tmp", "half of one");
    assert_int_equal(journal_read(t, &phase, id, &e), 0);
    assert_int_equal(phase, JOURNAL_EXCHANGE);
    assert_string_equal(id, "other");
    assert_int_equal(journal_remove(t, &e), 0);
    assert_false(is_there(root, "meta.influxfs-journal"));
    assert_false(is_there(root, "meta.influxfs-journal.tmp"));
}

static int parse_copy(const char *text, size_t len, struct targets *t)
{
    autofree char *copy = strndup(text, len);
    enum journal_phase phase = JOURNAL_NONE;
    char id[129] = "";
    int r = journal_parse(copy, t, &phase, id);
    assert_true(r == 0 ? phase != JOURNAL_NONE : phase == JOURNAL_NONE && !*id);
    return r;
}

/* Whatever byte is another, and wherever it ends: nothing of it is believed. */
static void test_damaged(void **state)
{
    cleanup(targets_freep) struct targets *t = open_targets(*state);
    autofree char *text = NULL;
    size_t len;
    set_targets(t, 2, 3, true);
    assert_int_equal(journal_format(t, JOURNAL_EXCHANGE, ID, &text, &len), 0);
    assert_int_equal(parse_copy(text, len, t), 0);
    set_targets(t, 4, 4, false);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(parse_copy(text, i, t), -EBADMSG);
        text[i] ^= 1;
        assert_int_equal(parse_copy(text, len, t), -EBADMSG);
        text[i] ^= 1;
        for (int k = 0; k < TARGETS; k++)
            assert_true(t->at[k].inside == (k == 2) && t->at[k].existed == (k == 2));
        assert_false(t->discard);
    }
}

static void expect_refused(const char *root, const char *words)
{
    cleanup(targets_freep) struct targets *t = open_targets(root);
    enum journal_phase phase;
    char id[129];
    struct err e = {0};
    assert_int_equal(journal_read(t, &phase, id, &e), -EBADMSG);
    if (!strstr(e.text, words))
        fail_msg("%s, not %s", e.text, words);
}

static void test_other_folders(void **state)
{
    const char *root = *state;
    cleanup(targets_freep) struct targets *t = open_targets(root);
    struct err e;
    t->at[TARGET_WAL].path[strlen(t->at[TARGET_WAL].path) - 1] = 'x';
    assert_int_equal(journal_write(t, JOURNAL_EXCHANGE, ID, &e), 0);
    expect_refused(root, "other folders");
}

/* One that lies beside meta speaks of a meta whose side folders lie there. */
static void test_other_place(void **state)
{
    const char *root = *state;
    cleanup(targets_freep) struct targets *t = open_targets(root);
    autofree char *text = NULL;
    size_t len;
    set_targets(t, 1, 7, false);
    assert_int_equal(journal_format(t, JOURNAL_PREPARED, ID, &text, &len), 0);
    put(root, "meta.influxfs-journal", text);
    expect_refused(root, "damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_place, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
