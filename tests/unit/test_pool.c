/* SPDX-License-Identifier: MIT */
/* pool: the retained files, as they are opened, counted and removed. */
#include "store/base/cleanup.h"
#include "store/chain/pool.h"
#include "tests/unit/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char root[64];
    int fd; /* of it: the folder cuts/ */
};

static void put(const struct fixture *f, const char *path, const char *text)
{
    autoclose int fd = openat(f->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static bool is_there(const struct fixture *f, const char *path)
{
    return faccessat(f->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Files of the cuts 0, 2 and 10, and what is somebody's own. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    strcpy(f->root, "/tmp/influxfs-pool-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    f->fd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static const char *const folders[] = {"files", "files/0", "files/2", "files/10", "files/mine"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        assert_int_equal(mkdirat(f->fd, folders[i], 0700), 0);
    put(f, "files/0/0", "zero");
    put(f, "files/0/1", "one");
    put(f, "files/2/0", "two");
    put(f, "files/2/note", "mine");
    put(f, "files/10/4294967295", "ten");
    put(f, "files/mine/0", "mine");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->fd);
    wipe(f->root);
    free(f);
    return 0;
}

static int opened(const struct fixture *f, uint64_t serial, uint32_t seq, uint64_t size,
                  const char *words)
{
    struct err e = {""};
    autoclose int fd = pool_open(f->fd, &(struct cut_place){serial, seq}, size, &e);
    if (fd < 0 && !strstr(e.text, words))
        fail_msg("%s", e.text);
    return fd < 0 ? fd : 0;
}

static void opening(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(opened(f, 0, 0, 4, ""), 0);
    assert_int_equal(opened(f, 10, UINT32_MAX, 3, ""), 0);
    assert_int_equal(opened(f, 0, 0, 5, "cuts/files/0/0 has 4 bytes instead of 5"), -EIO);
    assert_int_equal(opened(f, 0, 7, 1, "cuts/files/0/7: No such file"), -EIO);
    assert_int_equal(symlinkat("../0/0", f->fd, "files/2/1"), 0);
    assert_int_equal(opened(f, 2, 1, 4, "cuts/files/2/1"), -EIO);
    assert_int_equal(mkdirat(f->fd, "files/2/3", 0700), 0);
    assert_int_equal(opened(f, 2, 3, 0, "cuts/files/2/3"), -EIO);
}

static void counting(void **state)
{
    struct fixture *f = *state;
    uint64_t files, bytes, only_ours, all;
    assert_int_equal(pool_usage(f->fd, &files, &bytes, &all, NULL), 0);
    assert_int_equal(files, 5);
    assert_int_equal(bytes, 4 + 3 + 3 + 4 + 3);
    assert_int_equal(linkat(f->fd, "files/0/0", f->fd, "elsewhere", 0), 0);
    assert_int_equal(pool_usage(f->fd, &files, &bytes, &only_ours, NULL), 0);
    assert_int_equal(files, 5);
    assert_true(only_ours < all);
}

static bool is_one(void *ctx, uint64_t serial, uint32_t seq)
{
    ++*(int *)ctx;
    return serial == 0 && seq == 1;
}

static void sweeping(void **state)
{
    struct fixture *f = *state;
    uint64_t removed, freed;
    int asked = 0;
    assert_int_equal(pool_sweep(f->fd, 2, is_one, &asked, &removed, &freed, NULL), 0);
    assert_int_equal(removed, 2);
    assert_true(freed > 0 && asked >= 3);
    assert_false(is_there(f, "files/0/0") || is_there(f, "files/2/0"));
    assert_true(is_there(f, "files/0/1") && is_there(f, "files/10/4294967295"));
    assert_true(is_there(f, "files/2/note") && is_there(f, "files/mine/0"));
}

static void removing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(pool_remove_from(f->fd, 2, NULL), 0);
    assert_true(is_there(f, "files/0/0") && is_there(f, "files/0/1"));
    assert_false(is_there(f, "files/2/0") || is_there(f, "files/10"));
    assert_true(is_there(f, "files/2/note") && is_there(f, "files/mine/0"));
}

static void nothing_retained(void **state)
{
    struct fixture *f = *state;
    uint64_t a = 1, b = 1, c = 1;
    autoclose int none = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(renameat(f->fd, "files", f->fd, "other"), 0);
    assert_int_equal(pool_usage(none, &a, &b, &c, NULL), 0);
    assert_int_equal(a | b | c, 0);
    assert_int_equal(pool_sweep(none, 9, NULL, NULL, &a, &b, NULL), 0);
    assert_int_equal(pool_remove_from(none, 0, NULL), 0);
}

static void reserve(void **state)
{
    struct fixture *f = *state;
    struct err e = {""};
    uint64_t want, avail;
    const struct cut_rules none = {0}, all = {.reserve_part = 1}, some = {.reserve_bytes = 4096};
    assert_int_equal(pool_room(f->fd, &none, &want, &avail, &e), 0);
    assert_int_equal(want, 0);
    assert_int_equal(pool_check_room(f->fd, 0, 1, &e), 0);
    assert_int_equal(pool_check_room(f->fd, 0, UINT64_MAX, &e), -ENOSPC);
    assert_int_equal(pool_room(f->fd, &some, &want, &avail, &e), 0);
    assert_int_equal(want, 4096);
    assert_int_equal(pool_room(f->fd, &all, &want, &avail, &e), 0);
    assert_true(want >= avail);
    e.text[0] = 0;
    assert_int_equal(pool_check_room(f->fd, want, 1, &e), -ENOSPC);
    assert_non_null(strstr(e.text, "reserve="));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(opening),  T(counting),         T(sweeping),
                                       T(removing), T(nothing_retained), T(reserve)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
