/* SPDX-License-Identifier: MIT */
/* Files written into restore/ in the ways that copy tools write them, and their verdicts. */
#include "tests/unit/snap.h"

#include "store/restore/account.h"
#include "store/restore/session.h"
#include "store/restore/upload.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>

#include <cmocka.h>

#define TSM_BYTES (3 << 20)

struct scene {
    char *root;
    char meta[PATH_MAX], data[PATH_MAX], wal[PATH_MAX];
    struct session *session;
    struct buffer tar;
    char *tsm;
    char *old; /* data as it was */
    int restored;
};

static void on_restored(void *arg)
{
    ((struct scene *)arg)->restored++;
}

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    *state = s;
    s->root = temp_folder();
    snprintf(s->meta, sizeof(s->meta), "%s/meta", s->root);
    snprintf(s->data, sizeof(s->data), "%s/data", s->root);
    snprintf(s->wal, sizeof(s->wal), "%s/wal", s->root);
    tree_put(s->meta, "meta.db", "old meta");
    tree_put(s->data, "old", "old data");
    tree_put(s->wal, "old", "old wal");
    const struct store_paths paths = {s->meta, s->data, s->wal, NULL};
    const struct session_options o = {.paths = &paths,
                                      .uid = (uid_t)-1,
                                      .gid = (gid_t)-1,
                                      .state_fd = -1,
                                      .restored = on_restored,
                                      .arg = s};
    assert_int_equal(session_open(&o, &s->session, NULL), 0);
    s->tsm = malloc(TSM_BYTES);
    assert_non_null(s->tsm);
    for (size_t i = 0; i < TSM_BYTES; i++)
        s->tsm[i] = (char)(i * 2654435761u >> 13);
    memset(s->tsm + (1 << 20), 0, 1 << 20); /* a hole for those who make one of it */
    const struct snap_member m[] = SNAP_MEMBERS(s->tsm, TSM_BYTES, "new meta");
    s->tar = snap_build(m, SNAP_COUNT, NULL);
    s->old = tree_text(s->root);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    session_close(s->session);
    tree_remove(s->root);
    buffer_free(&s->tar);
    free(s->tsm);
    free(s->old);
    free(s);
    return 0;
}

static struct upload *new_upload(struct scene *s, const char *name)
{
    struct upload *u = NULL;
    assert_int_equal(upload_new(s->session, name, NULL, &u), 0);
    return u;
}

static void write_range(struct scene *s, struct upload *u, size_t from, size_t to, size_t piece)
{
    for (size_t at = from; at < to; at += piece) {
        struct err e;
        int r = upload_write(u, s->tar.p + at, to - at < piece ? to - at : piece, at, NULL, &e);
        if (r < 0)
            fail_msg("write at %zu: %d %s", at, r, e.text);
    }
}

static void expect_flush(struct upload *u, int code, const char *words)
{
    struct err e = {0};
    int r = upload_flush(u, NULL, &e);
    if (r != code || (words && !strstr(e.text, words)))
        fail_msg("flush: %d (%s), not %d (%s)", r, e.text, code, words ? words : "");
}

static void expect_old(const struct scene *s)
{
    char *now = tree_text(s->root);
    assert_string_equal(now, s->old);
    free(now);
}

static void expect_new(const struct scene *s)
{
    char *now = tree_text(s->root);
    assert_non_null(strstr(now, "/data/my db/rp/1/000000001-000000001.tsm 644"));
    assert_non_null(strstr(now, "/data.before-restore/old"));
    assert_non_null(strstr(now, "/meta.before-restore/meta.db"));
    assert_null(strstr(now, "restoring"));
    assert_null(strstr(now, "journal"));
    free(now);
}

static char *last_line(struct scene *s, char line[4096])
{
    struct stat st;
    int fd = account_log_fd(session_account(s->session));
    assert_int_equal(fstat(fd, &st), 0);
    size_t n = st.st_size < 4095 ? (size_t)st.st_size : 4095;
    assert_int_equal(io_pread_all(fd, line, n, (uint64_t)st.st_size - n), 0);
    assert_true(n > 0 && line[n - 1] == '\n');
    line[n - 1] = 0;
    char *nl = strrchr(line, '\n');
    return nl ? nl + 1 : line;
}

static void expect_said(struct scene *s, const char *words)
{
    char line[4096];
    char *last = last_line(s, line);
    if (!strstr(last, words))
        fail_msg("the log ends with: %s", last);
}

static void expect_state(struct scene *s, const char *state)
{
    char *json = NULL, want[64];
    snprintf(want, sizeof(want), "\"state\":\"%s\"", state);
    assert_int_equal(account_json(session_account(s->session), &json), 0);
    if (!strstr(json, want))
        fail_msg("%s", json);
    free(json);
}

static void test_in_order(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    expect_state(s, "idle");
    write_range(s, u, 0, s->tar.n, 128 << 10);
    assert_false(upload_restored(u));
    expect_flush(u, 0, NULL);
    assert_true(upload_restored(u));
    expect_flush(u, 0, NULL);
    assert_true(upload_size(u) == s->tar.n);
    expect_new(s);
    expect_said(s, "restored now.tar");
    expect_state(s, "restored");
    assert_int_equal(s->restored, 1);
    upload_free(u);
    expect_new(s);
    /* Again, from the same file truncated: the first new store is then the one that is kept. */
    u = new_upload(s, "now.tar");
    write_range(s, u, 0, 1000, 100);
    assert_int_equal(upload_truncate(u, 0, NULL, NULL), 0);
    write_range(s, u, 0, s->tar.n, 100000);
    expect_flush(u, 0, NULL);
    assert_int_equal(account_restores(session_account(s->session)), 2);
    upload_free(u);
}

static void test_odd_pieces(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    write_range(s, u, 0, 3000, 1);
    write_range(s, u, 3000, s->tar.n, 7919);
    expect_flush(u, 0, NULL);
    upload_free(u);
    expect_new(s);
}

/* Killed wherever the thread may be: the reason is what the log ends with. */
static void test_killed(void **state)
{
    struct scene *s = *state;
    for (unsigned i = 0; i < 300; i++) {
        struct upload *u = new_upload(s, "now.tar");
        upload_open(u);
        write_range(s, u, 0, 4096 + (i % 30) * 512, 128 << 10);
        const struct timespec a_while = {0, i * 5000};
        nanosleep(&a_while, NULL);
        upload_killed(u);
        upload_close(u);
        expect_said(s, "refused now.tar: its writer was killed");
        upload_free(u);
        expect_said(s, "refused now.tar: its writer was killed");
        expect_state(s, "refused");
    }
    expect_old(s);
}

/* dd, cat and shells flush before they write; `>>` goes on after an early end. */
static void test_early_flushes(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    expect_flush(u, -EINVAL, "empty");
    expect_said(s, "empty");
    write_range(s, u, 0, 3, 1);
    expect_flush(u, -EBADMSG, "ends early");
    write_range(s, u, 3, 400, 100);
    expect_flush(u, -EBADMSG, "ends early");
    write_range(s, u, 400, 1 << 20, 100000);
    expect_flush(u, -EBADMSG, "ends early");
    expect_said(s, "ends early");
    write_range(s, u, 1 << 20, s->tar.n - 1, 100000);
    expect_flush(u, -EBADMSG, "ends early");
    assert_false(upload_refused(u));
    write_range(s, u, s->tar.n - 1, s->tar.n, 1);
    expect_flush(u, 0, NULL);
    upload_free(u);
    expect_new(s);
}

static void test_cut_off(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    write_range(s, u, 0, s->tar.n - 512, 1 << 20);
    expect_flush(u, -EBADMSG, "ends early");
    upload_abandon(u, "it was removed", NULL);
    assert_int_equal(upload_flush(u, NULL, NULL), -ECANCELED);
    expect_said(s, "it was removed");
    expect_state(s, "refused");
    expect_old(s);
    upload_free(u);
    expect_old(s);
}

static void test_refusals(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "other");
    struct err e = {0};
    char text[4096];
    memset(text, 'x', sizeof(text));
    int r = upload_write(u, text, sizeof(text), 0, NULL, &e);
    if (r == 0)
        r = upload_flush(u, NULL, &e);
    assert_int_equal(r, -EINVAL);
    assert_non_null(strstr(e.text, "not a snapshot"));
    assert_int_equal(upload_write(u, text, 1, sizeof(text), NULL, NULL), -EINVAL);
    expect_flush(u, -EINVAL, "not a snapshot");
    expect_said(s, "not a snapshot");
    /* The same file, started over, with something better. */
    assert_int_equal(upload_truncate(u, 0, NULL, NULL), 0);
    s->tar.p[s->tar.n / 2] ^= 1;
    write_range(s, u, 0, s->tar.n - 1024, 1 << 20);
    size_t end = s->tar.n - 1024; /* the last write knows, before the flush */
    assert_int_equal(upload_write(u, s->tar.p + end, 1024, end, NULL, NULL), -EBADMSG);
    assert_true(upload_refused(u));
    assert_int_equal(upload_size(u), 0);
    expect_flush(u, -EBADMSG, "SHA-256");
    expect_said(s, "SHA-256");
    expect_old(s);
    upload_free(u);
    s->tar.p[s->tar.n / 2] ^= 1;
    u = new_upload(s, "gap");
    r = upload_write(u, text, 10, 5000, NULL, &e);
    assert_int_equal(r, 0);
    expect_flush(u, -EINVAL, NULL);
    upload_free(u);
    expect_old(s);
}

struct stream {
    struct scene *s;
    struct upload *u;
    size_t from, to;
};

static int count_lines(struct scene *s, const char *words)
{
    struct stat st;
    int n = 0;
    int fd = account_log_fd(session_account(s->session));
    assert_int_equal(fstat(fd, &st), 0);
    char *text = calloc(1, (size_t)st.st_size + 1);
    assert_non_null(text);
    assert_int_equal(io_pread_all(fd, text, (size_t)st.st_size, 0), 0);
    for (const char *p = text; (p = strstr(p, words)); p++)
        n++;
    free(text);
    return n;
}

/* The last close refuses what is not complete, and says nothing that the flush has said. */
static void test_last_close(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    upload_open(u);
    write_range(s, u, 0, 1 << 20, 1 << 18);
    expect_flush(u, -EBADMSG, "ends early");
    upload_open(u);
    upload_close(u);
    assert_false(upload_refused(u));
    assert_true(upload_size(u) == 1 << 20);
    upload_close(u);
    assert_true(upload_refused(u));
    assert_int_equal(upload_size(u), 0);
    assert_int_equal(count_lines(s, "ends early"), 1);
    expect_state(s, "refused");
    expect_flush(u, -EBADMSG, "ends early");
    expect_old(s);
    /* Killed: there was no flush. */
    upload_open(u);
    upload_rewind(u, NULL);
    write_range(s, u, 0, 1 << 20, 1 << 18);
    upload_close(u);
    assert_int_equal(count_lines(s, "ends early"), 2);
    /* Too short to be anything. */
    upload_open(u);
    assert_int_equal(upload_truncate(u, 0, NULL, NULL), 0);
    assert_int_equal(upload_write(u, "hello", 5, 0, NULL, NULL), 0);
    expect_flush(u, -EINVAL, "not a snapshot");
    upload_close(u);
    expect_said(s, "not a snapshot");
    expect_flush(u, -EINVAL, "not a snapshot");
    /* And then the right one, after which it may be restored once more. */
    for (int i = 1; i <= 2; i++) {
        upload_open(u);
        upload_rewind(u, NULL);
        write_range(s, u, 0, s->tar.n, 1 << 18);
        expect_flush(u, 0, NULL);
        upload_close(u);
        assert_int_equal(account_restores(session_account(s->session)), i);
        assert_true(upload_size(u) == s->tar.n);
        if (i == 1)
            expect_new(s);
    }
    upload_free(u);
}

/* What two programs do that copy half a snapshot to one name, one right after the other. */
static void *copy_half(void *arg)
{
    struct stream *w = arg;
    for (int i = 0; i < 30; i++) {
        upload_open(w->u);
        upload_truncate(w->u, 0, NULL, NULL);
        for (size_t at = 0; at < w->to; at += 40000)
            if (upload_write(w->u, w->s->tar.p + at, 40000, at, NULL, NULL) < 0)
                break;
        upload_flush(w->u, NULL, NULL);
        upload_close(w->u);
    }
    return NULL;
}

static void test_again_and_again(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    struct stream w = {s, u, 0, 800000};
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, copy_half, &w), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    expect_old(s);
    upload_open(u);
    assert_int_equal(upload_truncate(u, 0, NULL, NULL), 0);
    write_range(s, u, 0, s->tar.n, 1 << 18);
    expect_flush(u, 0, NULL);
    upload_close(u);
    upload_free(u);
    expect_new(s);
}

/* A copy straight after one that broke off, of whose last close nobody has heard yet. */
static void *close_soon(void *arg)
{
    usleep(100000);
    upload_close(arg);
    return NULL;
}

static void test_waits_for_another(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "half.tar");
    pthread_t t;
    upload_open(u);
    write_range(s, u, 0, 1 << 20, 1 << 20);
    expect_flush(u, -EBADMSG, "ends early");
    struct upload *next = new_upload(s, "now.tar");
    upload_open(next);
    assert_int_equal(pthread_create(&t, NULL, close_soon, u), 0);
    write_range(s, next, 0, s->tar.n, 1 << 18);
    expect_flush(next, 0, NULL);
    pthread_join(t, NULL);
    upload_close(next);
    upload_free(u);
    upload_free(next);
    expect_new(s);
    expect_state(s, "restored");
}

static void test_rewrite(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    struct err e = {0};
    write_range(s, u, 0, 1 << 20, 1 << 20);
    assert_int_equal(upload_write(u, s->tar.p, 10, 5, NULL, &e), -EIO);
    assert_non_null(strstr(e.text, "again"));
    assert_int_equal(upload_truncate(u, 1000, NULL, &e), -EIO);
    write_range(s, u, 1 << 20, s->tar.n, 1 << 20);
    assert_int_equal(upload_truncate(u, s->tar.n, NULL, &e), 0); /* rsync --inplace */
    expect_flush(u, 0, NULL);
    assert_int_equal(upload_write(u, "x", 1, s->tar.n, NULL, &e), -EIO);
    upload_free(u);
    expect_new(s);
}

/* cp leaves out what is zeros; here also the end, which it sets by truncation. */
static void test_holes(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    size_t from = 0;
    for (size_t at = 0; at < s->tar.n; at += 4096) {
        size_t n = s->tar.n - at < 4096 ? s->tar.n - at : 4096;
        bool zero = s->tar.p[at] == 0 && memcmp(s->tar.p + at, s->tar.p + at + 1, n - 1) == 0;
        if (!zero)
            write_range(s, u, at, at + n, n);
        else
            from += n;
    }
    assert_true(from >= (1 << 20) - 8192);
    assert_int_equal(upload_truncate(u, s->tar.n, NULL, NULL), 0);
    assert_true(upload_size(u) == s->tar.n);
    expect_flush(u, 0, NULL);
    upload_free(u);
    expect_new(s);
}

static void *write_stream(void *arg)
{
    struct stream *w = arg;
    for (size_t at = w->from; at < w->to; at += 40000)
        if (upload_write(w->u, w->s->tar.p + at, w->to - at < 40000 ? w->to - at : 40000, at, NULL,
                         NULL) < 0)
            return w;
    return NULL;
}

/* rclone: four streams at once; and the same backwards, by one. */
static void test_streams(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    struct stream w[4];
    pthread_t t[4];
    for (int i = 0; i < 4; i++) {
        w[i] = (struct stream){s, u, s->tar.n / 4 * (size_t)i,
                               i == 3 ? s->tar.n : s->tar.n / 4 * (size_t)(i + 1)};
        assert_int_equal(pthread_create(&t[i], NULL, write_stream, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(t[i], &failed);
        assert_null(failed);
    }
    expect_flush(u, 0, NULL);
    upload_free(u);
    expect_new(s);
    u = new_upload(s, "backwards");
    for (size_t end = s->tar.n; end > 0;) {
        size_t from = end > 9999 ? end - 9999 : 0;
        write_range(s, u, from, end, 9999);
        end = from;
    }
    expect_flush(u, 0, NULL);
    upload_free(u);
}

/* rsync: a dot-name is verified at its close, and restored by its rename. */
static void test_dot_name(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, ".now.tar.Xa8Kd2");
    struct err e = {0};
    write_range(s, u, 0, s->tar.n, 1 << 18);
    expect_flush(u, 0, NULL);
    assert_false(upload_refused(u));
    assert_false(upload_restored(u));
    expect_state(s, "verified");
    assert_int_equal(upload_rename(u, ".other/x", NULL, &e), 0);
    assert_false(upload_restored(u));
    struct upload *second = new_upload(s, "second.tar");
    int r = 0;
    for (size_t at = 0; r == 0 && at < s->tar.n; at += 4096)
        r = upload_write(second, s->tar.p + at, 4096, at, NULL, &e);
    if (r == 0)
        r = upload_flush(second, NULL, &e);
    assert_int_equal(r, -EAGAIN);
    upload_free(second);
    assert_int_equal(upload_rename(u, "now.tar", NULL, &e), 0);
    assert_true(upload_restored(u));
    expect_new(s);
    upload_free(u);
    u = new_upload(s, ".again");
    write_range(s, u, 0, s->tar.n, 1 << 18);
    expect_flush(u, 0, NULL);
    upload_free(u); /* unlinked */
    assert_int_equal(account_restores(session_account(s->session)), 1);
    expect_new(s);
}

static void *abandon_soon(void *arg)
{
    usleep(30000);
    upload_abandon(arg, "the mount ends", NULL);
    return NULL;
}

static void test_abandon_while_waiting(void **state)
{
    struct scene *s = *state;
    struct upload *u = new_upload(s, "now.tar");
    pthread_t t;
    write_range(s, u, 0, 4096, 4096);
    assert_int_equal(pthread_create(&t, NULL, abandon_soon, u), 0);
    /* Writers and flushes come and go meanwhile; none may hang. */
    size_t at = 4096;
    while (upload_write(u, s->tar.p + at, 512, at, NULL, NULL) == 0)
        if (at < s->tar.n - 2048)
            at += 512;
        else if (upload_flush(u, NULL, NULL) == -ECANCELED)
            break;
        else
            usleep(1000);
    pthread_join(t, NULL);
    upload_free(u);
    expect_old(s);
}

static void test_no_room(void **state)
{
    struct scene *s = *state;
    char small[PATH_MAX + 64];
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0) {
        print_message("needs root and a mount namespace of its own\n");
        skip();
    }
    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL);
    snprintf(small, sizeof(small), "%s/small", s->root);
    assert_int_equal(mkdir(small, 0755), 0);
    assert_int_equal(mount("tmpfs", small, "tmpfs", 0, "size=2m"), 0);
    char meta[PATH_MAX + 96], data[PATH_MAX + 96], wal[PATH_MAX + 96];
    snprintf(meta, sizeof(meta), "%s/meta", small);
    snprintf(data, sizeof(data), "%s/data", small);
    snprintf(wal, sizeof(wal), "%s/wal", small);
    tree_put(meta, "meta.db", "old");
    tree_put(data, "old", "old");
    tree_put(wal, "old", "old");
    const struct store_paths paths = {meta, data, wal, NULL};
    const struct session_options o = {
        .paths = &paths, .uid = (uid_t)-1, .gid = (gid_t)-1, .state_fd = -1};
    struct session *session = NULL;
    assert_int_equal(session_open(&o, &session, NULL), 0);
    char *before = tree_text(small);
    for (int backwards = 0; backwards < 2; backwards++) {
        struct upload *u = NULL;
        int r = 0;
        assert_int_equal(upload_new(session, "now.tar", NULL, &u), 0);
        for (size_t at = 0; r == 0 && at < s->tar.n; at += 65536) {
            size_t n = s->tar.n - at < 65536 ? s->tar.n - at : 65536;
            size_t off = backwards ? s->tar.n - at - n : at;
            r = upload_write(u, s->tar.p + off, n, off, NULL, NULL);
        }
        if (r == 0)
            r = upload_flush(u, NULL, NULL);
        assert_int_equal(r, -ENOSPC);
        char *after = tree_text(small);
        assert_string_equal(before, after);
        free(after);
        upload_free(u);
    }
    free(before);
    session_close(session);
    assert_int_equal(umount2(small, MNT_DETACH), 0);
    rmdir(small);
}

static void test_zstd(void **state)
{
    struct scene *s = *state;
    struct buffer plain = s->tar;
    s->tar = snap_compress(&plain, archive_write_add_filter_zstd);
    struct upload *u = new_upload(s, "now.tar.zst");
    write_range(s, u, 0, s->tar.n, 10000);
    expect_flush(u, 0, NULL);
    upload_free(u);
    expect_new(s);
    u = new_upload(s, "cut.tar.zst");
    write_range(s, u, 0, s->tar.n - 10, 10000);
    expect_flush(u, -EBADMSG, "ends early");
    upload_free(u);
    buffer_free(&plain);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_in_order),        T(test_odd_pieces),
        T(test_early_flushes),   T(test_killed),
        T(test_cut_off),         T(test_last_close),
        T(test_again_and_again), T(test_waits_for_another),
        T(test_refusals),        T(test_rewrite),
        T(test_holes),           T(test_streams),
        T(test_dot_name),        T(test_abandon_while_waiting),
        T(test_no_room),         T(test_zstd),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
