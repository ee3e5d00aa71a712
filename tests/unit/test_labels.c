/* SPDX-License-Identifier: MIT */
/* What a staged folder gets of the folder that it replaces, and what is said where it cannot. ACLs
 * and SELinux labels take a file system and rights: tests/tree/test_labels.py. */
#include "store/restore/labels.h"

#include "store/restore/stage.h"
#include "tests/unit/targets.h"

#include <sys/syscall.h>
#include <sys/xattr.h>

#define MINE "user.influxfs-test"

static const char *refused; /* an attribute that cannot be set */

/* Stands in for libc's. */
int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
    if (refused && strcmp(name, refused) == 0) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_fsetxattr, fd, name, value, size, flags);
}

struct scene {
    char *root;
    struct targets *t;
    char said[512];
    int times;
};

static void hear(void *arg, const char *text)
{
    struct scene *s = arg;
    snprintf(s->said, sizeof(s->said), "%s", text);
    s->times++;
}

static void mark(const struct scene *s, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", s->root, name);
    assert_int_equal(io_mkdir_p(path, 0755, (uid_t)-1, (gid_t)-1), 0);
    if (setxattr(path, MINE, name, strlen(name), 0) < 0) {
        print_message("no attributes of users here: %s\n", strerror(errno));
        skip();
    }
}

static bool is_marked(const struct scene *s, const char *place, const char *name)
{
    char path[PATH_MAX], value[64];
    snprintf(path, sizeof(path), "%s/%s", s->root, place);
    ssize_t n = getxattr(path, MINE, value, sizeof(value));
    return n == (ssize_t)strlen(name) && memcmp(value, name, (size_t)n) == 0;
}

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->root = temp_folder();
    refused = NULL;
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    targets_free(s->t);
    tree_remove(s->root);
    free(s);
    return 0;
}

/* Stages two databases, one of which the store has too. */
static void stage(struct scene *s)
{
    int fds[TARGETS];
    cleanup(stage_freep) struct stage *out = NULL;
    struct err e = {0};
    s->t = open_targets(s->root);
    targets_tell(s->t, hear, s);
    if (targets_lock(s->t, true, &e) < 0 || targets_stage(s->t, fds, &e) < 0 ||
        stage_new(s->t, fds, &out, &e) < 0 || stage_folder(out, "data/old", 0750, 1, &e) < 0 ||
        stage_folder(out, "data/new", 0750, 1, &e) < 0 || stage_finish(out, &e) < 0)
        fail_msg("%s", e.text);
}

static void test_carried(void **state)
{
    struct scene *s = *state;
    put(s->root, "meta/meta.db", "");
    mark(s, "data");
    mark(s, "data/old");
    stage(s);
    assert_true(is_marked(s, "data.restoring", "data"));
    assert_true(is_marked(s, "data.restoring/old", "data/old"));
    assert_false(is_marked(s, "data.restoring/new", "data/new"));
    assert_int_equal(s->times, 0);
}

static void test_refused(void **state)
{
    struct scene *s = *state;
    mark(s, "data");
    mark(s, "data/old");
    mark(s, "wal");
    refused = MINE;
    stage(s);
    assert_false(is_marked(s, "data.restoring", "data"));
    assert_int_equal(s->times, 1);
    assert_string_equal(s->said,
                        "warning: data, and perhaps other folders, cannot be given the " MINE
                        " of the folder replaced; compare them with `getfattr -d -m -`: "
                        "Operation not permitted");
}

/* What is there already need not be set: it may have been inherited. */
static void test_same(void **state)
{
    struct scene *s = *state;
    char failed[XATTR_NAME_MAX + 1];
    mark(s, "data");
    int fd = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int from = openat(fd, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(labels_copy(from, fd, failed), 0);
    refused = MINE;
    assert_int_equal(labels_copy(from, fd, failed), 0);
    assert_int_equal(fremovexattr(fd, MINE), 0);
    assert_int_equal(labels_copy(from, fd, failed), -EPERM);
    assert_string_equal(failed, MINE);
    close(from);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_carried, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
