/* SPDX-License-Identifier: MIT */
/* The exchange of one folder, from wherever it was cut off; and the fence. */
#include "store/restore/exchange.h"

#include "tests/unit/targets.h"

#include <sys/stat.h>

static int set_up(void **state)
{
    *state = temp_folder();
    return 0;
}

static int tear_down(void **state)
{
    tree_remove(*state);
    return 0;
}

static void expect(const char *root, const char *name, const char *text)
{
    char path[PATH_MAX];
    autofree char *got = NULL;
    size_t len;
    snprintf(path, sizeof(path), "%s/%s", root, name);
    int r = io_read_file(AT_FDCWD, path, 1000, &got, &len);
    if (!text ? r != -ENOENT : r < 0 || strcmp(got, text) != 0)
        fail_msg("%s: %d %s, not %s", name, r, r < 0 ? "" : got, text ? text : "nothing");
}

static void make(const char *root, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_int_equal(io_mkdir_p(path, 0755, (uid_t)-1, (gid_t)-1), 0);
}

static void run(struct targets *t, enum target_kind kind, bool discard)
{
    struct err e = {0};
    t->discard = discard;
    if (exchange_run(&t->at[kind], discard, &e) < 0)
        fail_msg("%s", e.text);
}

/* What lies there after it, and that doing it again does nothing. */
static void run_twice(const char *root, struct targets *t, enum target_kind kind, bool discard)
{
    run(t, kind, discard);
    autofree char *once = tree_text(root);
    run(t, kind, discard);
    autofree char *twice = tree_text(root);
    assert_string_equal(once, twice);
}

static void test_whole(void **state)
{
    const char *root = *state;
    put(root, "data/x", "old");
    put(root, "data.restoring/x", "new");
    put(root, "data.before-restore/x", "older");
    cleanup(targets_freep) struct targets *t = open_targets(root);
    run_twice(root, t, TARGET_DATA, false);
    expect(root, "data/x", "new");
    expect(root, "data.before-restore/x", "old");
    expect(root, "data.before-restore.old/x", "older");
    expect(root, "data.restoring/x", NULL);
}

static void test_whole_discards(void **state)
{
    const char *root = *state;
    put(root, "data/x", "old");
    put(root, "data.restoring/x", "new");
    put(root, "data.before-restore/x", "older");
    cleanup(targets_freep) struct targets *t = open_targets(root);
    run_twice(root, t, TARGET_DATA, true);
    expect(root, "data/x", "new");
    expect(root, "data.before-restore/x", "older");
    expect(root, "data.before-restore.old/x", "old");
}

/* The old folder has gone to where it is kept, and no new one is in its place yet. */
static void test_whole_goes_on(void **state)
{
    const char *root = *state;
    put(root, "data.restoring/x", "new");
    put(root, "data.before-restore/x", "old");
    cleanup(targets_freep) struct targets *t = open_targets(root);
    t->at[TARGET_DATA].existed = true;
    run_twice(root, t, TARGET_DATA, false);
    expect(root, "data/x", "new");
    expect(root, "data.before-restore/x", "old");
}

static void test_absent(void **state)
{
    const char *root = *state;
    put(root, "wal.restoring/x", "new");
    cleanup(targets_freep) struct targets *t = open_targets(root);
    run_twice(root, t, TARGET_WAL, false);
    expect(root, "wal/x", "new");
    assert_false(is_there(root, "wal.before-restore"));
}

static void test_entries(void **state)
{
    const char *root = *state;
    struct err e;
    put(root, "meta/meta.db", "old");
    put(root, "meta/raft.db", "fence");
    put(root, "meta.restoring/meta.db", "new");
    put(root, "meta.before-restore/meta.db", "older");
    cleanup(targets_freep) struct targets *t = open_targets(root);
    assert_int_equal(exchange_prepare(&t->at[TARGET_META], &e), 0);
    run_twice(root, t, TARGET_META, false);
    expect(root, "meta/meta.db", "new");
    expect(root, "meta/raft.db", "fence");
    expect(root, "meta.before-restore/meta.db", "old");
    expect(root, "meta.before-restore.old/meta.db", "older");
    assert_false(is_there(root, "meta.restoring"));
    assert_false(is_there(root, "meta.before-restore.tmp"));
}

/* Some entries of the old folder have been moved; of the new one none. */
static void test_entries_first_half(void **state)
{
    const char *root = *state;
    put(root, "data/b", "old b");
    put(root, "data/.influxfs/before-restore.tmp/data/a", "old a");
    put(root, "data/.influxfs/restoring/data/a", "new a");
    cleanup(targets_freep) struct targets *t = open_targets(root);
    t->at[TARGET_DATA].inside = true;
    run_twice(root, t, TARGET_DATA, false);
    expect(root, "data/a", "new a");
    expect(root, "data/b", NULL);
    expect(root, "data/.influxfs/before-restore/data/a", "old a");
    expect(root, "data/.influxfs/before-restore/data/b", "old b");
}

/* The old folder is empty, and some entries of the new one have been moved. */
static void test_entries_second_half(void **state)
{
    const char *root = *state;
    put(root, "data/a", "new a");
    put(root, "data/.influxfs/before-restore/data/a", "old a");
    put(root, "data/.influxfs/restoring/data/b", "new b");
    cleanup(targets_freep) struct targets *t = open_targets(root);
    t->at[TARGET_DATA].inside = true;
    run_twice(root, t, TARGET_DATA, false);
    expect(root, "data/a", "new a");
    expect(root, "data/b", "new b");
    expect(root, "data/.influxfs/before-restore/data/a", "old a");
}

static void test_entries_discard(void **state)
{
    const char *root = *state;
    struct err e;
    put(root, "data/a", "old");
    put(root, "data/.influxfs/before-restore/data/a", "older");
    put(root, "data/.influxfs/restoring/data/a", "new");
    cleanup(targets_freep) struct targets *t = open_targets(root);
    t->at[TARGET_DATA].inside = true;
    assert_int_equal(exchange_prepare(&t->at[TARGET_DATA], &e), 0);
    run_twice(root, t, TARGET_DATA, true);
    expect(root, "data/a", "new");
    expect(root, "data/.influxfs/before-restore/data/a", "older");
    expect(root, "data/.influxfs/before-restore.old/data/a", "old");
}

static enum fence look(const struct targets *t)
{
    enum fence f = FENCE_NONE;
    struct err e = {0};
    if (fence_look(&t->at[TARGET_META], &f, &e) < 0)
        fail_msg("%s", e.text);
    return f;
}

static void test_fence(void **state)
{
    const char *root = *state;
    struct err e = {0};
    make(root, "meta.restoring");
    cleanup(targets_freep) struct targets *t = open_targets(root);
    const struct target *meta = &t->at[TARGET_META];
    assert_int_equal(look(t), FENCE_NONE);
    assert_int_equal(fence_lift(meta, &e), 0);
    assert_int_equal(fence_raise(meta, &e), 0); /* makes the folder */
    assert_int_equal(look(t), FENCE_OURS);
    put(root, "meta/raft.db.tmp", "half of one");
    assert_int_equal(fence_lift(meta, &e), 0);
    assert_int_equal(look(t), FENCE_NONE);
    assert_false(is_there(root, "meta/raft.db.tmp"));
    put(root, "meta/raft.db", "of another program");
    assert_int_equal(look(t), FENCE_OTHER);
    assert_int_equal(fence_lift(meta, &e), 0);
    expect(root, "meta/raft.db", "of another program");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whole_discards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whole_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_entries_first_half, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_entries_second_half, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_entries_discard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fence, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
