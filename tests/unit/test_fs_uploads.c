/* SPDX-License-Identifier: MIT */
/* restore/ without a mount: which folders and files there may be, and how long they stay, by a clock
 * that need not be waited for. Requests and reports are stand-ins. */
#include "fs/caller.h"
#include "fs/recorder.h"
#include "fs/reports.h"
#include "fs/request.h"
#include "fs/status.h"
#include "fs/uploads_internal.h"
#include "store/base/time.h"
#include "store/restore/account.h"
#include "tests/unit/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

bool request_interrupted(void *ctx)
{
    (void)ctx;
    return false;
}

bool caller_was_killed(pid_t tid)
{
    (void)tid;
    return false;
}

void status_failed(struct status *s, const char *what, const char *why)
{
    (void)s, (void)what, (void)why;
}

void recorder_restore_ended(void *arg, const struct account_end *end)
{
    (void)arg, (void)end;
}

int report_restore_log(struct fs *fs, struct node **out)
{
    (void)fs;
    *out = NULL;
    return 0;
}

int report_restore_status(struct fs *fs, struct node **out)
{
    return report_restore_log(fs, out);
}

struct scene {
    char *root;
    struct options options;
    struct fs fs;
    struct fuse_ctx who;
    struct request r;
    struct node *top;
};

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    char meta[PATH_MAX], data[PATH_MAX], wal[PATH_MAX];
    assert_non_null(s);
    s->root = temp_folder();
    snprintf(meta, sizeof(meta), "%s/meta", s->root);
    snprintf(data, sizeof(data), "%s/data", s->root);
    snprintf(wal, sizeof(wal), "%s/wal", s->root);
    tree_put(meta, "meta.db", "old meta");
    tree_put(data, "old", "old data");
    tree_put(wal, "old", "old wal");
    const struct store_paths paths = {meta, data, wal, NULL};
    const struct session_options o = {
        .paths = &paths, .uid = (uid_t)-1, .gid = (gid_t)-1, .state_fd = -1};
    assert_int_equal(session_open(&o, &s->fs.restore, NULL), 0);
    s->fs.options = &s->options;
    s->fs.mountpoint = "/mnt";
    s->fs.nodes = node_table_new();
    s->r = (struct request){&s->fs, NULL, &s->who};
    assert_int_equal(uploads_new(&s->fs, &s->top), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    time_shift(0, 0);
    node_table_free(s->fs.nodes);
    uploads_free(s->fs.uploads);
    session_close(s->fs.restore);
    tree_remove(s->root);
    free(s);
    return 0;
}

/* The node at a path, which stays pinned; NULL: there is none. */
static struct node *at(struct scene *s, const char *path)
{
    char text[256], *rest = text;
    struct node *n = s->top;
    snprintf(text, sizeof(text), "%s", path);
    for (char *name; n && (name = strsep(&rest, "/"));)
        if (n->ops->lookup(&s->r, n, name, &n) < 0)
            n = NULL;
    return n;
}

static bool is_there(struct scene *s, const char *path)
{
    struct node *n = at(s, path);
    if (n)
        node_unpin(s->fs.nodes, n);
    return n != NULL;
}

static int make_folder(struct scene *s, const char *in, const char *name)
{
    struct node *n, *dir = *in ? at(s, in) : s->top;
    int r = dir->ops->mkdir(&s->r, dir, name, 0700, &n);
    if (r == 0)
        node_unpin(s->fs.nodes, n);
    if (*in)
        node_unpin(s->fs.nodes, dir);
    return r;
}

static int copy(struct scene *s, const char *in, const char *name, const char *text)
{
    struct node *n, *dir = *in ? at(s, in) : s->top;
    struct handle *h;
    int r = dir->ops->create(&s->r, dir, name, 0600, O_WRONLY, &n, &h);
    if (*in)
        node_unpin(s->fs.nodes, dir);
    if (r < 0)
        return r;
    h->node = n;
    r = n->ops->write(&s->r, h, text, strlen(text), 0);
    int flushed = n->ops->flush(&s->r, h);
    n->ops->release(h);
    node_unpin(s->fs.nodes, n);
    return r < 0 ? r : flushed;
}

static void after(struct scene *s, int64_t seconds)
{
    time_shift(0, seconds * SECOND_NS);
    uploads_expire(&s->fs);
}

static void expect_log(struct scene *s, const char *words)
{
    char text[65536] = "";
    assert_true(pread(account_log_fd(session_account(s->fs.restore)), text, sizeof(text) - 1, 0) >
                0);
    if (!strstr(text, words))
        fail_msg("the log is: %s", text);
}

static void test_fixed_folders(void **state)
{
    struct scene *s = *state;
    struct names names = {0};
    assert_int_equal(make_folder(s, "as", "new"), 0);
    assert_int_equal(make_folder(s, "as", ".influxfs"), -EINVAL);
    assert_int_equal(make_folder(s, "merge", "mine"), -EINVAL);
    assert_int_equal(make_folder(s, "merge/ours", "any"), 0);
    assert_int_equal(s->top->ops->list(&s->r, s->top, &names), 0);
    assert_int_equal(names.n, 4); /* log, status.json, as, merge */
    names_clear(&names);
    after(s, 31);
    assert_false(is_there(s, "as/new"));
    assert_true(is_there(s, "as"));
    assert_true(is_there(s, "merge/ours"));
    assert_int_equal(s->top->ops->list(&s->r, s->top, &names), 0);
    assert_int_equal(names.n, 2);
    names_clear(&names);
}

static void test_set_without_a_folder(void **state)
{
    struct scene *s = *state;
    assert_int_equal(copy(s, "", "meta.00", "x"), -EINVAL);
    assert_int_equal(copy(s, "merge/ours", "meta.00", "x"), -EINVAL);
    assert_int_equal(make_folder(s, "", ".hidden"), 0);
    assert_int_equal(copy(s, ".hidden", "meta.00", "x"), -EINVAL);
    expect_log(s, "copy the folder that holds them, as in `cp -r FOLDER /mnt/restore/");
}

/* What waits for the rest of a set stays longer than what has a verdict. */
static void test_set_that_is_never_complete(void **state)
{
    struct scene *s = *state;
    assert_int_equal(make_folder(s, "", "set"), 0);
    assert_int_equal(make_folder(s, "set", ".~tmp~"), 0);
    assert_int_equal(copy(s, "set", "meta.00", "x"), 0);
    after(s, 500);
    assert_int_equal(copy(s, "set/.~tmp~", "db.rp.00001.00", "x"), 0); /* any use keeps all of it */
    after(s, 1000);
    assert_true(is_there(s, "set/meta.00"));
    after(s, 1200);
    assert_false(is_there(s, "set"));
    expect_log(s, "refused set: never complete: a legacy set is complete when .done is created");
    char *left = tree_text(s->root);
    assert_null(strstr(left, "sets"));
    free(left);
}

static void test_set_with_a_verdict(void **state)
{
    struct scene *s = *state;
    assert_int_equal(make_folder(s, "", "set"), 0);
    assert_int_equal(copy(s, "set", "meta.00", "x"), 0);
    assert_int_equal(copy(s, "set", ".done", "x"), -EBADMSG);
    assert_true(is_there(s, "set/meta.00"));
    assert_false(is_there(s, "set/.done"));
    after(s, 31);
    assert_false(is_there(s, "set"));
    char *left = tree_text(s->root);
    assert_null(strstr(left, "sets"));
    free(left);
}

static void test_open_set_stays(void **state)
{
    struct scene *s = *state;
    struct handle *h;
    assert_int_equal(make_folder(s, "", "set"), 0);
    assert_int_equal(copy(s, "set", "meta.00", "x"), 0);
    struct node *n = at(s, "set/meta.00");
    assert_int_equal(n->ops->open(&s->r, n, O_RDONLY, &h), 0);
    h->node = n;
    after(s, 10000);
    assert_true(is_there(s, "set/meta.00"));
    char byte, *buf = &byte;
    assert_int_equal(n->ops->read(&s->r, h, &buf, 1, 0), 1);
    assert_int_equal(byte, 'x');
    n->ops->release(h);
    after(s, 20000);
    assert_false(is_there(s, "set/meta.00"));
    node_unpin(s->fs.nodes, n);
}

static void test_files_of_sets_stay_in_their_folder(void **state)
{
    struct scene *s = *state;
    assert_int_equal(make_folder(s, "", "set"), 0);
    assert_int_equal(make_folder(s, "", "other"), 0);
    assert_int_equal(copy(s, "set", "meta.00", "x"), 0);
    struct node *from = at(s, "set"), *to = at(s, "other");
    assert_int_equal(from->ops->rename(&s->r, from, "meta.00", to, "meta.00", 0), -EXDEV);
    assert_int_equal(from->ops->rename(&s->r, from, "meta.00", from, "meta.01", 0), 0);
    assert_true(is_there(s, "set/meta.01"));
    assert_int_equal(from->ops->unlink(&s->r, from, "meta.01", false), 0);
    assert_int_equal(s->top->ops->unlink(&s->r, s->top, "set", true), 0);
    assert_int_equal(s->top->ops->unlink(&s->r, s->top, "as", true), -EROFS);
    node_unpin(s->fs.nodes, from);
    node_unpin(s->fs.nodes, to);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_fixed_folders),
        TEST(test_set_without_a_folder),
        TEST(test_set_that_is_never_complete),
        TEST(test_set_with_a_verdict),
        TEST(test_open_set_stays),
        TEST(test_files_of_sets_stay_in_their_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
