/* SPDX-License-Identifier: MIT */
/* rmtree and mounts: what is mounted, linked or somebody else's stays, whatever is removed. */
#include "tests/unit/snap.h"

#include "store/base/mounts.h"
#include "store/influx/written.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cmocka.h>

static char *root;
static int at; /* root, open */
static bool may_mount;

static void put(const char *path, const char *text)
{
    char whole[PATH_MAX];
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
        snprintf(whole, sizeof(whole), "%.*s", (int)(slash - path), path);
        if (mkdirat(at, whole, 0755) < 0 && errno != EEXIST)
            fail_msg("%s: %s", whole, strerror(errno));
    }
    autoclose int fd = text ? openat(at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (text && (fd < 0 || io_write_all(fd, text, strlen(text)) < 0))
        fail_msg("%s", path);
}

static bool is_there(const char *path)
{
    struct stat st;
    return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static char *in(const char *path)
{
    static char whole[PATH_MAX];
    snprintf(whole, sizeof(whole), "%s/%s", root, path);
    return whole;
}

/* source NULL: a fresh tmpfs. */
static void mount_on(const char *point, const char *source)
{
    autofree char *from = source ? strdup(in(source)) : NULL;
    int r = source ? mount(from, in(point), NULL, MS_BIND, NULL)
                   : mount("tmpfs", in(point), "tmpfs", 0, "size=1m");
    if (r < 0)
        fail_msg("mount on %s: %s", point, strerror(errno));
}

static void unmount(const char *point)
{
    if (umount2(in(point), 0) < 0)
        fail_msg("umount %s: %s", point, strerror(errno));
}

/* Mounts of a namespace of its own, so that nothing is left of them. */
static int set_up(void **state)
{
    (void)state;
    may_mount = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
                mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    return 0;
}

static int make_root(void **state)
{
    (void)state;
    root = temp_folder();
    at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put("tree/db/rp/1/a", "a");
    put("tree/db/rp/2/b", "b");
    put("tree/db/link", NULL);
    put("cold/db/rp/1/precious", "precious");
    return at < 0;
}

static int drop_root(void **state)
{
    (void)state;
    close(at);
    int r = wipe(root);
    free(root);
    return r;
}

static const struct rmtree_of everything = {wipe_all, NULL};

static int remove_tree(const struct rmtree_of *of, struct rmtree_sum *sum, struct err *e)
{
    e->text[0] = 0;
    return rmtree(at, "tree", of, sum, e);
}

static void check_cold(void)
{
    autofree char *text = NULL;
    size_t n = 0;
    assert_int_equal(io_read_file(at, "cold/db/rp/1/precious", 100, &text, &n), 0);
    assert_string_equal(text, "precious");
}

static void test_all(void **state)
{
    struct err e;
    struct rmtree_sum sum;
    (void)state;
    assert_int_equal(remove_tree(&everything, &sum, &e), 0);
    assert_false(is_there("tree"));
    assert_int_equal(sum.files, 2);
    assert_int_equal(sum.left, 0);
    assert_true(sum.freed > 0);
    assert_int_equal(remove_tree(&everything, &sum, &e), 0); /* absence is success */
    check_cold();
}

/* Each place and each kind: refused before anything is removed, with the mount point's name. */
static void test_mounted(void **state)
{
    static const char *const points[] = {"tree", "tree/db", "tree/db/rp", "tree/db/rp/1",
                                         "tree/db/rp/2"};
    (void)state;
    if (!may_mount)
        skip();
    for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
        for (int tmpfs = 0; tmpfs < 2; tmpfs++) {
            struct err e;
            struct rmtree_sum sum;
            mount_on(points[i], tmpfs ? NULL : "cold");
            assert_int_equal(remove_tree(&everything, &sum, &e), -EBUSY);
            assert_non_null(strstr(e.text, in(points[i])));
            assert_int_equal(sum.files, 0);
            unmount(points[i]);
            assert_true(is_there("tree/db/rp/1/a"));
            assert_true(is_there("tree/db/rp/2/b"));
            check_cold();
        }
    }
}

static void test_mounted_file(void **state)
{
    struct err e;
    (void)state;
    if (!may_mount)
        skip();
    mount_on("tree/db/rp/2/b", "cold/db/rp/1/precious");
    assert_int_equal(remove_tree(&everything, NULL, &e), -EBUSY);
    assert_non_null(strstr(e.text, "tree/db/rp/2/b"));
    unmount("tree/db/rp/2/b");
    assert_true(is_there("tree/db/rp/1/a"));
    check_cold();
}

/* The table and the walk say the same of each place. */
static void test_below(void **state)
{
    static const char *const points[] = {"tree/db", "tree/db/rp/1", "tree/a b\\c\td"};
    (void)state;
    if (!may_mount)
        skip();
    put("tree/a b\\c\td/x", "x");
    for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
        autofree char *table = NULL, *walked = NULL, *tree = strdup(in("tree")),
                      *point = strdup(in(points[i]));
        char *none = NULL;
        autoclose int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mounts_below(tree, false, &none), 0);
        assert_int_equal(mounts_walk(fd, NULL, &none), 0);
        mount_on(points[i], "cold");
        assert_int_equal(mounts_below(tree, false, &table), 1);
        assert_string_equal(table, point);
        assert_int_equal(mounts_walk(fd, NULL, &walked), 1);
        assert_string_equal(walked, points[i] + strlen("tree/"));
        assert_int_equal(mounts_below(point, false, &none), 0); /* only on it, not below */
        free(steal_ptr(&table));
        assert_int_equal(mounts_below(point, true, &table), 1);
        unmount(points[i]);
    }
    char *none = NULL;
    assert_int_equal(mounts_below(in("nothing/there"), true, &none), 0);
}

/* What is covered by another mount can neither be reached nor unmounted. */
static void test_covered(void **state)
{
    autofree char *tree = strdup(in("tree"));
    char *none = NULL;
    (void)state;
    if (!may_mount)
        skip();
    mount_on("tree/db/rp/1", "cold");
    mount_on("tree", NULL);
    assert_int_equal(mounts_below(tree, false, &none), 0);
    unmount("tree");
    unmount("tree/db/rp/1");
}

static void test_links(void **state)
{
    struct err e;
    (void)state;
    assert_int_equal(symlinkat(in("cold"), at, "tree/db/link"), 0);
    assert_int_equal(symlinkat("../../../../cold/db", at, "tree/db/rp/1/up"), 0);
    assert_int_equal(remove_tree(&everything, NULL, &e), 0);
    assert_false(is_there("tree"));
    check_cold();
    assert_int_equal(symlinkat(in("cold"), at, "tree"), 0); /* the tree itself */
    assert_int_equal(remove_tree(&everything, NULL, &e), 0);
    check_cold();
}

static bool not_notes(const void *ctx, const char *path, const struct statx *st)
{
    (void)ctx;
    (void)st;
    return !strstr(path, "notes");
}

static void test_strangers(void **state)
{
    struct err e;
    struct rmtree_sum sum;
    const struct rmtree_of of = {not_notes, NULL};
    (void)state;
    put("tree/db/rp/1/notes.txt", "mine");
    put("tree/notes/deep/in/a", "mine");
    assert_int_equal(remove_tree(&of, &sum, &e), 1);
    assert_int_equal(sum.left, 2);
    assert_true(is_there("tree/db/rp/1/notes.txt"));
    assert_true(is_there("tree/notes/deep/in/a"));
    assert_false(is_there("tree/db/rp/1/a"));
    assert_false(is_there("tree/db/rp/2"));
    for (int i = 1; i < 4; i++) {
        struct err said;
        char want[PATH_MAX];
        snprintf(want, sizeof(want), " %s/tree.left-behind-%d ", root, i);
        assert_int_equal(rmtree_clear(at, "tree", "tree.", &of, &said, &e), 0);
        assert_non_null(strstr(said.text, want));
        assert_false(is_there("tree"));
        put("tree/notes again", "mine");
        put("tree/x", "x");
    }
    assert_true(is_there("tree.left-behind-1/notes/deep/in/a"));
    assert_true(is_there("tree.left-behind-2/notes again"));
    assert_false(is_there("tree.left-behind-2/x"));
    struct err said;
    assert_int_equal(rmtree_clear(at, "tree", "tree.", &everything, &said, &e), 0);
    assert_string_equal(said.text, "");
    assert_false(is_there("tree"));
}

static void test_deep(void **state)
{
    struct err e;
    char path[2000] = "tree";
    (void)state;
    for (int i = 0; i < 200; i++)
        strcat(path, "/deeper");
    strcat(path, "/file");
    put(path, "x");
    assert_int_equal(remove_tree(&everything, NULL, &e), 0);
    assert_false(is_there("tree"));
}

/* Nothing is removed where not all of it can be looked at. */
static void test_unreadable(void **state)
{
    struct err e;
    (void)state;
    assert_int_equal(fchmodat(at, "tree/db/rp/2", 0, 0), 0);
    if (geteuid() == 0 && (fchown(at, 65534, 65534) < 0 || seteuid(65534) < 0))
        fail_msg("cannot become nobody");
    int r = remove_tree(&everything, NULL, &e);
    if (getuid() == 0 && seteuid(0) < 0)
        fail_msg("cannot become root again");
    assert_int_equal(r, -EACCES);
    assert_non_null(strstr(e.text, "tree"));
    assert_true(is_there("tree/db/rp/1/a"));
    assert_int_equal(fchmodat(at, "tree/db/rp/2", 0755, 0), 0);
}

/* Mounts on one folder just when another one, or that one itself, is asked about: after the tree
 * was looked through. */
struct race {
    const char *when, *point;
    bool done;
};

static bool then_mount(const void *ctx, const char *path, const struct statx *st)
{
    struct race *r = *(struct race *const *)ctx;
    (void)st;
    if (!r->done && strcmp(path, r->when) == 0) {
        r->done = true;
        mount_on(r->point, "cold");
    }
    return true;
}

static void test_race(void **state)
{
    struct race races[] = {{.when = "db", .point = "tree/db"},
                           {.when = "db/rp/1", .point = "tree/db/rp/1"},
                           {.when = "db/rp/1/a", .point = "tree/db/rp/2"},
                           {.when = "db/rp/1/a", .point = "tree/db/rp/1"},
                           {.when = "db/rp", .point = "tree/db/rp/2"}};
    (void)state;
    if (!may_mount)
        skip();
    for (size_t i = 0; i < sizeof(races) / sizeof(*races); i++) {
        struct err e;
        struct race *r = &races[i];
        put("tree/db/rp/1/a", "a");
        put("tree/db/rp/2/b", "b");
        assert_int_equal(remove_tree(&(struct rmtree_of){then_mount, &r}, NULL, &e), -EBUSY);
        assert_true(r->done);
        assert_non_null(strstr(e.text, in(r->point)));
        check_cold();
        unmount(r->point);
        check_cold();
    }
}

static void test_written(void **state)
{
    static const char *const files[] = {"meta/meta.db",
                                        "meta/meta.dbtmp",
                                        "meta/node.json",
                                        "data/db/_series/00/0000",
                                        "data/db/_series/07/index",
                                        "data/db/_series/07/0001.initializing",
                                        "data/my db/rp/12/000000001-000000002.tsm",
                                        "data/db/rp/1/000000001-000000002.tsm.tmp",
                                        "data/db/rp/1/000000001-000000002.tsm.bad",
                                        "data/db/rp/1/000000001-000000002.tombstone",
                                        "data/db/rp/1/fields.idx",
                                        "data/db/rp/1/fields.idxl",
                                        "data/db/rp/1/digest.tsd",
                                        "data/db/rp/1/tombstone123",
                                        "data/db/rp/1/3.tmp/000000001-000000002.tsm",
                                        "data/db/rp/1/index/0/MANIFEST",
                                        "data/db/rp/1/index/7/L0-00000001.tsl",
                                        "data/db/rp/1/index/7/L3-00000012.tsi",
                                        "wal/db/rp/1/_00001.wal"};
    static const char *const folders[] = {"meta",
                                          "data",
                                          "wal",
                                          "data/db",
                                          "data/db/rp",
                                          "data/db/rp/1",
                                          "data/db/rp/1/index/0",
                                          "data/db/_series/00",
                                          "data/db/rp/1/3.tmp",
                                          "wal/db/rp/1"};
    static const char *const neither[] = {"",
                                          "other",
                                          "meta/raft.db",
                                          "meta/sub/meta.db",
                                          "data/notes.txt/x.tsm/1/1-1.tsm/x",
                                          "data/.influxfs",
                                          "data/db/rp/1/notes.txt",
                                          "data/db/rp/01",
                                          "data/db/rp/x",
                                          "data/db/rp/1/1-1.tsm.gz",
                                          "data/db/rp/1/-1.tsm",
                                          "data/db/rp/1/index/0/notes",
                                          "data/db/rp/1/index/x",
                                          "data/db/_series/zz",
                                          "data/db/_series/00/x",
                                          "wal/db/rp/1/1-1.tsm",
                                          "wal/db/rp/1/index"};
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        if (!written_by_influxd(files[i], S_IFREG) || written_by_influxd(files[i], S_IFIFO))
            fail_msg("file %s", files[i]);
        assert_true(written_by_influxd(files[i], S_IFLNK));
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        if (!written_by_influxd(folders[i], S_IFDIR))
            fail_msg("folder %s", folders[i]);
    for (size_t i = 0; i < sizeof(neither) / sizeof(*neither); i++)
        if (written_by_influxd(neither[i], S_IFREG) || written_by_influxd(neither[i], S_IFDIR))
            fail_msg("neither %s", neither[i]);
    assert_false(written_by_influxd("data/notes.txt", S_IFREG));
    assert_false(written_by_influxd("data/db/rp/1", S_IFREG));
}

/* From here on this process has a kernel, or a container, without openat2(2). */
static int make_root_without(void **state)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof(code) / sizeof(*code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        return -1;
    struct open_how how = {.flags = O_PATH};
    return syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how)) >= 0 || errno != ENOSYS
               ? -1
               : make_root(state);
}

#define WITHOUT(name)                                                                              \
    {                                                                                              \
#name "_without_openat2", name, make_root_without, drop_root, NULL                         \
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, drop_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all),
        TEST(test_mounted),
        TEST(test_mounted_file),
        TEST(test_below),
        TEST(test_covered),
        TEST(test_links),
        TEST(test_strangers),
        TEST(test_deep),
        TEST(test_unreadable),
        TEST(test_race),
        cmocka_unit_test(test_written),
        WITHOUT(test_all),
        WITHOUT(test_mounted),
        WITHOUT(test_links),
        WITHOUT(test_race),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
