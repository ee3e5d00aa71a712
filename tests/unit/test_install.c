/* SPDX-License-Identifier: MIT */
/* A full snapshot takes the place of a store, whatever stands in the way, and whenever it is
 * killed. */
#include "tests/unit/kill.h"

static void test_kill_plain(void **state)
{
    (void)state;
    kill_everywhere(PLAIN);
}

static void test_kill_kept(void **state)
{
    (void)state;
    kill_everywhere(KEPT_BEFORE);
}

static void test_kill_absent(void **state)
{
    (void)state;
    kill_everywhere(ABSENT);
}

static void test_kill_mounted(void **state)
{
    (void)state;
    if (!private_mounts()) {
        print_message("needs root and private mounts, which a bare chroot does not allow\n");
        skip();
    }
    kill_everywhere(MOUNTED);
    kill_everywhere(MOUNTED_KEPT);
}

/* A raft.db of somebody else stays, and stops the restore. */
static void test_foreign_fence(void **state)
{
    char *root = make_store(PLAIN);
    struct err e = {0};
    (void)state;
    put(root, "meta/raft.db", "a real one");
    char *before = store_text(root, PLAIN, false);
    assert_int_equal(restore_into(root, NULL, &e), -EEXIST);
    assert_non_null(strstr(e.text, "raft.db"));
    char *after = store_text(root, PLAIN, false);
    assert_string_equal(before, after);
    free(before);
    free(after);
    drop_store(root, PLAIN);
}

static int asked;
static int free_for; /* how often nobody uses the store */

static int used_later(const struct store_paths *p, struct err *e)
{
    (void)p;
    return ++asked > free_for ? err_set(e, -EBUSY, "influxd uses the store") : 0;
}

/* influxd starts at whatever moment one asks: the store is the old one, or the restore was done. */
static void test_busy_at_any_time(void **state)
{
    struct texts t = learn(PLAIN);
    (void)state;
    for (free_for = 0;; free_for++) {
        char *root = make_store(PLAIN);
        struct err e = {0};
        asked = 0;
        int r = restore_into(root, used_later, &e);
        assert_false(fenced(root));
        check_whole(root, PLAIN, &t, true, free_for);
        drop_store(root, PLAIN);
        if (r == 0)
            break;
        assert_int_equal(r, -EBUSY);
    }
    assert_true(free_for >= 4);
    free(t.old_store);
    free(t.old_kept);
    free(t.new_store);
}

static const char *late_root;

/* Nobody uses the store; but while one asks for the Nth time somebody mounts his disk. */
static int mounted_later(const struct store_paths *p, struct err *e)
{
    (void)p;
    (void)e;
    if (asked++ == free_for) {
        char *disk = in(late_root, "disk"), *shard = in(late_root, "data/old db/rp/7");
        assert_int_equal(mount(disk, shard, NULL, MS_BIND, NULL), 0);
        free(disk);
        free(shard);
    }
    return 0;
}

/* However late it comes, what is mounted is not carried off: the store is as it was. */
static void test_mounted_at_any_time(void **state)
{
    (void)state;
    if (!private_mounts())
        skip();
    struct texts t = learn(PLAIN);
    bool mounted = true;
    for (free_for = 0; mounted; free_for++) {
        char *root = make_store(PLAIN), *shard = in(root, "data/old db/rp/7");
        char *precious = in(root, "disk/precious");
        struct err e = {0};
        put(root, "disk/precious", "precious");
        asked = 0;
        late_root = root;
        int r = restore_into(root, mounted_later, &e);
        mounted = asked > free_for;
        assert_int_equal(r, mounted ? -EBUSY : 0);
        if (mounted) {
            assert_non_null(strstr(e.text, shard));
            assert_int_equal(umount2(shard, 0), 0);
        }
        assert_int_equal(access(precious, F_OK), 0);
        assert_false(fenced(root));
        check_whole(root, PLAIN, &t, true, free_for);
        free(precious);
        free(shard);
        drop_store(root, PLAIN);
    }
    assert_true(free_for > 4);
    free(t.old_store);
    free(t.old_kept);
    free(t.new_store);
}

/* A damaged journal: said, and nothing touched. */
static void test_damaged_journal(void **state)
{
    char *root = make_store(PLAIN);
    struct err e = {0};
    (void)state;
    put(root, "meta.influxfs-journal", "influxfs-journal 1\nphase exchange\nsum 00\n");
    put(root, "data.restoring/x", "staged");
    char *before = tree_text(root);
    assert_int_equal(recover(root, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "journal"));
    char *after = tree_text(root);
    assert_string_equal(before, after);
    free(before);
    free(after);
    drop_store(root, PLAIN);
}

/* One folder in another cannot be exchanged in one step: refused, but the mount goes on. */
static void test_nested(void **state)
{
    char *root = make_store(PLAIN);
    struct store_paths paths = {in(root, "meta"), in(root, "data"), in(root, "data/wal"), NULL};
    struct session *session = NULL;
    struct err e = {0};
    const struct session_options o = {
        .paths = &paths, .uid = (uid_t)-1, .gid = (gid_t)-1, .state_fd = -1};
    (void)state;
    assert_int_equal(session_open(&o, &session, &e), 0);
    assert_int_equal(session_may_begin(session, &e), -EINVAL);
    assert_non_null(strstr(e.text, "lies in"));
    session_close(session);
    paths_free(&paths);
    drop_store(root, PLAIN);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_fence),
        cmocka_unit_test(test_busy_at_any_time),
        cmocka_unit_test(test_mounted_at_any_time),
        cmocka_unit_test(test_damaged_journal),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_kill_plain),
        cmocka_unit_test(test_kill_kept),
        cmocka_unit_test(test_kill_absent),
        cmocka_unit_test(test_kill_mounted),
    };
    int r = kill_main(argc, argv);
    return r >= 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
