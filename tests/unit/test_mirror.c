/* SPDX-License-Identifier: MIT */
/* Tests a folder mirrored by links, and whether a store is known to be as it was. */
#include "store/restore/mirror.h"

#include "store/restore/unchanged.h"

#include "tests/unit/targets.h"

#include <sys/stat.h>

static enum mirror_choice choose(void *arg, const char *path, mode_t type)
{
    (void)arg;
    (void)type;
    return strstr(path, "/left")      ? MIRROR_NOT
           : strstr(path, "/emptied") ? MIRROR_EMPTY
                                      : MIRROR_ALL;
}

static int mirror(const char *root)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/data", root);
    autoclose int from = open(path, O_RDONLY | O_DIRECTORY);
    snprintf(path, sizeof(path), "%s/to", root);
    autoclose int to = open(path, O_RDONLY | O_DIRECTORY);
    struct mirror m = {.name = "data", .from = from, .to = to, .choose = choose};
    struct err e = {0};
    int r = mirror_run(&m, &e);
    assert_true(r == 0 || e.text[0]);
    return r;
}

static struct stat look(const char *root, const char *name)
{
    char path[PATH_MAX];
    struct stat st = {0};
    snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_int_equal(lstat(path, &st), 0);
    return st;
}

static bool is_linked(const char *root, const char *name)
{
    char to[PATH_MAX], from[PATH_MAX];
    snprintf(from, sizeof(from), "data/%s", name);
    snprintf(to, sizeof(to), "to/%s", name);
    const struct stat a = look(root, from), b = look(root, to);
    assert_int_equal(a.st_mode, b.st_mode);
    assert_int_equal(a.st_size, b.st_size);
    assert_int_equal(a.st_uid, b.st_uid);
    assert_int_equal(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
    assert_int_equal(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
    return a.st_ino == b.st_ino;
}

static void make(const char *root, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_int_equal(io_mkdir_p(path, 0755, (uid_t)-1, (gid_t)-1), 0);
}

static void test_links_and_copies(void **state)
{
    const char *root = *state;
    char path[PATH_MAX], link[PATH_MAX + 8];
    put(root, "data/db/rp/1/000000001-000000001.tsm", "tsm");
    put(root, "data/db/rp/1/index/0/L0-00000001.tsl", "log");
    put(root, "data/db/rp/1/index/0/L1-00000001.tsi", "index");
    put(root, "data/db/_series/00/0000", "series");
    put(root, "data/db/notes.txt", "mine");
    put(root, "data/left/x", "x");
    put(root, "data/emptied/x", "x");
    snprintf(path, sizeof(path), "%s/data/db", root);
    assert_int_equal(chmod(path, 0711), 0);
    snprintf(link, sizeof(link), "%s/link", path);
    assert_int_equal(symlink("nowhere", link), 0);
    snprintf(path, sizeof(path), "%s/data/db/_series/00/0000", root);
    assert_int_equal(truncate(path, 64 << 20), 0);
    make(root, "to");
    assert_int_equal(mirror(root), 0);
    assert_true(is_linked(root, "db/rp/1/000000001-000000001.tsm"));
    assert_true(is_linked(root, "db/rp/1/index/0/L1-00000001.tsi"));
    assert_true(is_linked(root, "db/notes.txt"));
    assert_true(is_linked(root, "db/link"));
    assert_false(is_linked(root, "db/rp/1/index/0/L0-00000001.tsl"));
    assert_false(is_linked(root, "db/_series/00/0000"));
    assert_false(is_linked(root, "db"));
    assert_in_range(look(root, "to/db/_series/00/0000").st_blocks, 1, 2048); /* holes stay holes */
    assert_true(is_there(root, "to/emptied"));
    assert_false(is_there(root, "to/emptied/x"));
    assert_false(is_there(root, "to/left"));
    assert_int_equal(mirror(root), -EEXIST);
}

static void digest(const struct targets *t, uint8_t out[SHA256_BYTES])
{
    assert_int_equal(unchanged_digest(t, out, NULL), 0);
}

static void test_unchanged(void **state)
{
    const char *root = *state;
    uint8_t was[SHA256_BYTES], now[SHA256_BYTES];
    put(root, "meta/meta.db", "meta");
    put(root, "data/db/rp/1/000000001-000000001.tsm", "tsm");
    put(root, "wal/db/rp/1/_00001.wal", "wal");
    struct targets *t = open_targets(root);
    digest(t, was);
    put(root, "data/.influxfs/restoring/x", "ours");
    put(root, "meta/raft.db", "ours");
    make(root, "to");
    assert_int_equal(mirror(root), 0);
    digest(t, now);
    assert_memory_equal(was, now, sizeof(was));
    make(root, "wal/db/rp/2");
    digest(t, now);
    assert_memory_not_equal(was, now, sizeof(was));
    digest(t, was);
    put(root, "wal/db/rp/1/_00001.wal", "more");
    digest(t, now);
    assert_memory_not_equal(was, now, sizeof(was));
    targets_free(t);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_links_and_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unchanged, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
