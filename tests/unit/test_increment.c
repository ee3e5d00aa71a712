/* SPDX-License-Identifier: MIT */
/* Increments on disk: received, kept until their parent comes, taken back, and what a killed
 * process leaves of them. */
#include "store/restore/increment.h"

#include "tests/unit/targets.h"

static int set_up(void **state)
{
    char *root = temp_folder();
    put(root, "data/db/x", "");
    *state = root;
    return 0;
}

static int tear_down(void **state)
{
    tree_remove(*state);
    return 0;
}

static struct manifest *number(const char *id, const char *parent, int n)
{
    char json[1024];
    struct manifest *m = NULL;
    snprintf(json, sizeof(json),
             "{\"version\":1,\"id\":\"%s\",\"kind\":\"incremental\",\"chain\":\"C\",\"parent\":"
             "\"%s\",\"number\":%d,\"created\":\"2016-06-11T12:00:00Z\",\"host\":\"h\",\"index\":7,"
             "\"skew_ns\":0,\"files\":[{\"name\":\"meta/meta.db\",\"size\":4,\"index\":1,"
             "\"mtime_ns\":1}],\"removed\":[],\"removed_folders\":[],\"left_out\":[]}",
             id, parent, n);
    assert_int_equal(manifest_parse(json, strlen(json), &m, NULL), 0);
    return m;
}

/* One that is received whole: a file, and a folder of which more than its name is known. */
static struct increment *receive(struct targets *t, const char *id, const char *parent, int n)
{
    cleanup(manifest_freep) struct manifest *m = number(id, parent, n);
    cleanup(stage_freep) struct stage *s = NULL;
    struct increment *in = NULL;
    struct err e = {0};
    if (increment_new(t, m, &in, &s, &e) < 0)
        fail_msg("%s", e.text);
    if (stage_open(s, "meta/meta.db", 0600, &e) < 0 || stage_write(s, "text", 4, &e) < 0 ||
        stage_close(s, 1, &e) < 0 || stage_folder(s, "data/a b", 0710, 7, &e) < 0 ||
        increment_seal(in, s, &e) < 0)
        fail_msg("%s", e.text);
    return in;
}

static void keep(struct increment *in, const char *name, int want)
{
    struct err e = {0};
    assert_int_equal(increment_name(in, name), 0);
    int r = increment_keep(in, INCREMENT_PENDING, &e);
    if (r != want)
        fail_msg("%s: %d %s", name, r, e.text);
    increment_free(in);
}

static void expect_listed(const struct targets *t, const char *const names[], size_t n)
{
    struct increment_list p;
    struct err e = {0};
    if (increment_list(t, &p, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(p.n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(p.at[i]->name, names[i]);
    increment_list_free(&p);
}

static void test_given_up(void **state)
{
    const char *root = *state;
    cleanup(targets_freep) struct targets *t = open_targets(root);
    autofree char *before = tree_text(root);
    struct increment *in = receive(t, "S0", "B", 0);
    assert_true(is_there(root, "data.pending"));
    expect_listed(t, NULL, 0);
    increment_free(in);
    autofree char *after = tree_text(root);
    assert_string_equal(before, after);
}

/* Those that wait are found by another process too, in the order of their numbers. */
static void test_waits(void **state)
{
    const char *root = *state;
    static const char *const names[] = {"0.tar", "x?/1.tar"};
    cleanup(targets_freep) struct targets *t = open_targets(root);
    keep(receive(t, "S1", "S0", 1), "x\n/1.tar", 0);
    keep(receive(t, "S0", "B", 0), "0.tar", 0);
    keep(receive(t, "S0", "B", 0), "again.tar", 1);
    cleanup(targets_freep) struct targets *other = open_targets(root);
    expect_listed(other, names, 2);
    struct increment_list p;
    struct err e = {0};
    int fds[TARGETS];
    assert_int_equal(increment_list(other, &p, &e), 0);
    const struct increment *n = p.at[1];
    assert_string_equal(n->m->id, "S1");
    assert_int_equal(n->nfolders, 1);
    assert_string_equal(n->folders[0].name, "data/a b");
    assert_int_equal(n->folders[0].mode, 0710);
    assert_int_equal(n->folders[0].mtime_ns, 7);
    assert_int_equal(increment_open(other, n, fds, &e), 0);
    autofree char *text = NULL;
    size_t len;
    assert_int_equal(io_read_file(fds[TARGET_META], "meta.db", 10, &text, &len), 0);
    assert_string_equal(text, "text");
    targets_close(fds);
    for (size_t i = 0; i < p.n; i++)
        assert_int_equal(increment_remove(other, p.at[i]), 0);
    increment_list_free(&p);
    assert_false(is_there(root, "data.pending"));
}

/* It is no longer one that waits, and gone with whoever has taken it. */
static void test_taken_back(void **state)
{
    const char *root = *state;
    cleanup(targets_freep) struct targets *t = open_targets(root);
    struct increment *in = NULL;
    struct increment_list p;
    struct err e = {0};
    keep(receive(t, "S0", "B", 0), "0.tar", 0);
    assert_int_equal(increment_list(t, &p, &e), 0);
    assert_int_equal(increment_park(t, p.at[0], &in), 0);
    increment_list_free(&p);
    assert_string_equal(in->name, "0.tar");
    assert_int_equal(in->nfolders, 1);
    expect_listed(t, NULL, 0);
    increment_free(in);
    assert_false(is_there(root, "data.pending"));
}

/* What a killed process was receiving is litter, and so is what cannot be read. What another still
 * receives is not, nor is what somebody else put there. */
static void test_tidy(void **state)
{
    const char *root = *state;
    static const char *const names[] = {"0.tar"};
    cleanup(targets_freep) struct targets *t = open_targets(root);
    struct err said;
    keep(receive(t, "S0", "B", 0), "0.tar", 0);
    struct increment *in = receive(t, "S1", "S0", 1);
    put(root, "data.pending/0123456789abcdef.new/meta/meta.db", "");
    increment_tidy(t, &said);
    assert_string_equal(said.text, "removed a number that was not received to its end");
    put(root, "data.pending/0123456789abcdef0123456789abcdef/about", "");
    put(root, "data.pending/notes/x", "");
    increment_tidy(t, &said);
    assert_string_equal(said.text, "removed a number that was waiting and cannot be read");
    increment_tidy(t, &said);
    assert_string_equal(said.text, "");
    keep(in, "1.tar", 0);
    expect_listed(t, (const char *const[]){names[0], "1.tar"}, 2);
    assert_true(is_there(root, "data.pending/notes/x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tidy, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
