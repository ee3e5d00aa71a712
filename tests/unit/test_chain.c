/* SPDX-License-Identifier: MIT */
/* Numbers in any order: what is restored, what waits, what is refused, and what is left. */
#include "tests/unit/snap.h"

#include "store/restore/account.h"
#include "store/restore/session.h"
#include "store/restore/upload.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct scene {
    char *root, *state_path;
    char meta[PATH_MAX], data[PATH_MAX], wal[PATH_MAX];
    int state_fd;
    bool collect;
    int (*in_use)(const struct store_paths *paths, struct err *e);
    struct session *session;
    struct buffer base, at0, number[3]; /* at0: the whole store as of number 0 */
    char *text[4];                      /* the store as of the base, 0, 1, 2 */
    char *old;
};

static void open_session(struct scene *s)
{
    const struct store_paths paths = {s->meta, s->data, s->wal, NULL};
    const struct session_options o = {.paths = &paths,
                                      .uid = (uid_t)-1,
                                      .gid = (gid_t)-1,
                                      .state_fd = s->state_fd,
                                      .in_use = s->in_use,
                                      .collect = s->collect};
    struct err e = {0};
    if (session_open(&o, &s->session, &e) < 0)
        fail_msg("open: %s", e.text);
}

static void reopen(struct scene *s)
{
    session_close(s->session);
    open_session(s);
}

#define FOLDER(name)                                                                               \
    {                                                                                              \
        name, AE_IFDIR, NULL, 0, NULL, false, false, 0                                             \
    }
#define MEMBER(name, text)                                                                         \
    {                                                                                              \
        name, 0, text, strlen(text), NULL, false, false, 0                                         \
    }
#define TSM1 "data/db/rp/1/000000001-000000001.tsm"
#define TSM2 "data/db/rp/2/000000002-000000001.tsm"
#define BUILD(m, ...) snap_build(m, sizeof(m) / sizeof(*(m)), &(struct snap_options){__VA_ARGS__})

static void build(struct scene *s)
{
    const struct snap_member base[] = {FOLDER("meta"),
                                       MEMBER("meta/meta.db", "meta base"),
                                       FOLDER("data"),
                                       FOLDER("data/db"),
                                       FOLDER("data/db/rp"),
                                       FOLDER("data/db/rp/1"),
                                       FOLDER("data/db/rp/1/index"),
                                       MEMBER(TSM1, "tsm one"),
                                       FOLDER("wal"),
                                       FOLDER("wal/db"),
                                       FOLDER("wal/db/rp"),
                                       FOLDER("wal/db/rp/1"),
                                       MEMBER("wal/db/rp/1/_00001.wal", "segment one")};
    const struct snap_member at0[] = {FOLDER("meta"),
                                      MEMBER("meta/meta.db", "meta 0"),
                                      FOLDER("data"),
                                      FOLDER("data/db"),
                                      FOLDER("data/db/rp"),
                                      FOLDER("data/db/rp/1"),
                                      FOLDER("data/db/rp/1/index"),
                                      MEMBER(TSM1, "tsm one"),
                                      FOLDER("data/db/rp/2"),
                                      MEMBER(TSM2, "tsm two"),
                                      FOLDER("wal"),
                                      FOLDER("wal/db"),
                                      FOLDER("wal/db/rp"),
                                      FOLDER("wal/db/rp/1"),
                                      MEMBER("wal/db/rp/1/_00001.wal", "segment one, longer")};
    const struct snap_member n0[] = {MEMBER("meta/meta.db", "meta 0"), FOLDER("data/db/rp/2"),
                                     MEMBER(TSM2, "tsm two"),
                                     MEMBER("wal/db/rp/1/_00001.wal", "segment one, longer")};
    const struct snap_member n1[] = {MEMBER("wal/db/rp/1/_00002.wal", "segment two")};
    const struct snap_member n2[] = {MEMBER("meta/meta.db", "meta 2")};
    s->base = BUILD(base, .id = "B", .chain = "C");
    s->at0 = BUILD(at0, .id = "S0", .chain = "C", .number = "0");
    s->number[0] =
        BUILD(n0, .kind = "incremental", .id = "S0", .chain = "C", .parent = "B", .number = "0");
    s->number[1] = BUILD(n1, .kind = "incremental", .id = "S1", .chain = "C", .parent = "S0",
                         .number = "1", .removed = "\"wal/db/rp/1/_00001.wal\"");
    s->number[2] = BUILD(n2, .kind = "incremental", .id = "S2", .chain = "C", .parent = "S1",
                         .number = "2", .removed = "\"" TSM1 "\"",
                         .removed_folders = "\"data/db/rp/1\",\"data/db/rp/1/index\"");
}

static int drop_bytes(struct scene *s, const char *name, const struct buffer *tar, struct err *e)
{
    struct upload *d = NULL;
    e->text[0] = 0;
    int r = session_may_begin(s->session, e);
    if (r == 0)
        r = upload_new(s->session, name, NULL, &d);
    for (size_t at = 0; r == 0 && at < tar->n; at += 1000)
        r = upload_write(d, tar->p + at, tar->n - at < 1000 ? tar->n - at : 1000, at, NULL, e);
    if (r == 0)
        r = upload_flush(d, NULL, e);
    upload_free(d);
    return r;
}

static void give(struct scene *s, const char *name, const struct buffer *tar, int code,
                 const char *words)
{
    struct err e;
    int r = drop_bytes(s, name, tar, &e);
    if (r != code || (words && !strstr(e.text, words)))
        fail_msg("%s: %d (%s), not %d (%s)", name, r, e.text, code, words ? words : "");
}

static const struct buffer *member_of(const struct scene *s, const char **name, char which)
{
    static const char *const names[] = {"0.tar", "1.tar", "2.tar"};
    *name = which == 'b' ? "base.tar" : names[which - '0'];
    return which == 'b' ? &s->base : &s->number[which - '0'];
}

/* "b012" in any order; all are taken. */
static void give_all(struct scene *s, const char *order)
{
    for (; *order; order++) {
        const char *name;
        const struct buffer *tar = member_of(s, &name, *order);
        give(s, name, tar, 0, NULL);
    }
}

static char *store_text(const struct scene *s)
{
    struct buffer out = {0};
    const char *const folders[] = {s->meta, s->data, s->wal};
    for (int i = 0; i < 3; i++) {
        char *text = tree_text(folders[i]);
        buffer_text(&out, "[%d]\n", i);
        buffer_add(&out, text, strlen(text));
        free(text);
    }
    buffer_add(&out, "", 1);
    return out.p;
}

static void expect_store(const struct scene *s, const char *want)
{
    char *now = store_text(s);
    assert_string_equal(now, want);
    free(now);
}

static bool there(const struct scene *s, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", s->root, name);
    return access(path, F_OK) == 0;
}

static void expect_waiting(struct scene *s, size_t n, const char *words)
{
    struct waiting_list list = {0};
    assert_int_equal(account_waiting(session_account(s->session), &list), 0);
    if (list.n != n || (n && words && !strstr(list.at[0].waits_for, words)))
        fail_msg("%zu wait, for %s", list.n, list.n ? list.at[0].waits_for : "nothing");
    waiting_free(&list);
    assert_true(there(s, "data.pending") == (n > 0));
}

/* Waits for a thread to say it. */
static void expect_said(struct scene *s, const char *words)
{
    int fd = account_log_fd(session_account(s->session));
    for (int tries = 1000;; tries--) {
        struct stat st;
        assert_int_equal(fstat(fd, &st), 0);
        char *text = calloc(1, (size_t)st.st_size + 1);
        assert_int_equal(io_pread_all(fd, text, (size_t)st.st_size, 0), 0);
        bool said = strstr(text, words) != NULL;
        if (!said && !tries)
            fail_msg("not said: %s\n%s", words, text);
        free(text);
        if (said)
            return;
        usleep(10000);
    }
}

static void old_store(struct scene *s)
{
    tree_put(s->meta, "meta.db", "old meta");
    tree_put(s->data, "old", "old data");
    tree_put(s->wal, "old", "old wal");
}

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    *state = s;
    s->root = temp_folder();
    s->state_path = temp_folder();
    s->state_fd = open(s->state_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(s->meta, sizeof(s->meta), "%s/meta", s->root);
    snprintf(s->data, sizeof(s->data), "%s/data", s->root);
    snprintf(s->wal, sizeof(s->wal), "%s/wal", s->root);
    build(s);
    open_session(s);
    give_all(s, "b");
    s->text[0] = store_text(s);
    for (int i = 0; i < 3; i++) {
        give_all(s, (const char[2]){(char)('0' + i), 0});
        s->text[i + 1] = store_text(s);
        assert_string_not_equal(s->text[i], s->text[i + 1]);
    }
    session_close(s->session);
    assert_int_equal(wipe(s->meta), 0);
    assert_int_equal(wipe(s->data), 0);
    assert_int_equal(wipe(s->wal), 0);
    assert_false(there(s, "meta.before-restore"));
    assert_int_equal(unlinkat(s->state_fd, "restored.json", 0), 0);
    assert_int_equal(unlinkat(s->state_fd, "restore.log", 0), 0);
    old_store(s);
    s->old = tree_text(s->root);
    open_session(s);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    session_close(s->session);
    tree_remove(s->root);
    tree_remove(s->state_path);
    close(s->state_fd);
    buffer_free(&s->base);
    buffer_free(&s->at0);
    for (int i = 0; i < 3; i++)
        buffer_free(&s->number[i]);
    for (int i = 0; i < 4; i++)
        free(s->text[i]);
    free(s->old);
    free(s);
    return 0;
}

static void expect_kept_old(const struct scene *s)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s.before-restore", s->data);
    char *kept = tree_text(path);
    assert_non_null(strstr(kept, "/old "));
    free(kept);
}

/* The numbers make of the base what the whole snapshot of that instant would be. */
static void test_states(void **state)
{
    struct scene *s = *state;
    give_all(s, "b0");
    expect_store(s, s->text[1]);
    expect_kept_old(s);
    give(s, "at0.tar", &s->at0, 0, NULL);
    expect_store(s, s->text[1]);
    assert_null(strstr(s->text[3], "/db/rp/1/index"));
    assert_null(strstr(s->text[3], "000000001-000000001"));
    assert_null(strstr(s->text[2], "_00001.wal"));
}

static void test_every_order(void **state)
{
    static const char *const orders[] = {"b012", "b021", "b102", "b120", "b201", "b210",
                                         "0b12", "0b21", "1b02", "1b20", "2b01", "2b10",
                                         "01b2", "02b1", "10b2", "12b0", "20b1", "21b0",
                                         "012b", "021b", "102b", "120b", "201b", "210b"};
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
        session_close(s->session);
        tree_remove(s->root);
        s->root = strdup(s->meta);
        *strrchr(s->root, '/') = 0;
        unlinkat(s->state_fd, "restored.json", 0);
        old_store(s);
        open_session(s);
        give_all(s, orders[i]);
        expect_store(s, s->text[3]);
        expect_waiting(s, 0, NULL);
        expect_kept_old(s);
        if (i % 5 == 0) {
            reopen(s);
            expect_waiting(s, 0, NULL);
        }
    }
}

/* One exchange installs a full snapshot with all that waited for it. */
static void test_one_exchange(void **state)
{
    struct scene *s = *state;
    give_all(s, "120");
    expect_waiting(s, 3, "base.tar");
    assert_int_equal(account_restores(session_account(s->session)), 0);
    give_all(s, "b");
    assert_int_equal(account_restores(session_account(s->session)), 1);
    expect_store(s, s->text[3]);
    expect_kept_old(s);
}

static void test_gap(void **state)
{
    struct scene *s = *state;
    give_all(s, "b0");
    give_all(s, "2");
    expect_store(s, s->text[1]);
    expect_waiting(s, 1, "number 1 is missing");
    expect_said(s, "waits: number 1 is missing");
    give_all(s, "2"); /* a double */
    expect_waiting(s, 1, "number 1 is missing");
    expect_said(s, "waits already");
    reopen(s);
    expect_waiting(s, 1, "number 1 is missing");
    give_all(s, "1");
    expect_store(s, s->text[3]);
    expect_waiting(s, 0, NULL);
}

static void test_nothing_new(void **state)
{
    struct scene *s = *state;
    give_all(s, "b01");
    give_all(s, "1");
    expect_said(s, "1.tar: number 1 is already restored");
    give_all(s, "0");
    expect_said(s, "0.tar: number 0 is superseded");
    expect_store(s, s->text[2]);
    assert_int_equal(account_restores(session_account(s->session)), 3);
    reopen(s);
    expect_waiting(s, 0, NULL);
}

/* The same command twice: the base behind its numbers does not bring the store back to the base,
 * also where the first time had got only half way. */
static void test_same_again(void **state)
{
    struct scene *s = *state;
    give_all(s, "021b");
    give_all(s, "021b");
    expect_store(s, s->text[3]);
    give_all(s, "b0");
    expect_store(s, s->text[1]);
    give_all(s, "021b");
    expect_store(s, s->text[3]);
    expect_waiting(s, 0, NULL);
}

/* But one that is dropped after its numbers is what is wanted. */
static void test_back(void **state)
{
    struct scene *s = *state;
    give_all(s, "b012");
    give(s, "0.tar", &s->at0, 0, NULL);
    expect_store(s, s->text[1]);
    give_all(s, "b");
    expect_store(s, s->text[0]);
    expect_waiting(s, 0, NULL);
}

static void test_wrong_parent(void **state)
{
    struct scene *s = *state;
    const struct snap_member m[] = {MEMBER("meta/meta.db", "meta of a fork")};
    give_all(s, "b0");
    struct buffer fork = BUILD(m, .kind = "incremental", .id = "F1", .chain = "C",
                               .parent = "another", .number = "1");
    give(s, "1.tar", &fork, -ESTALE, "two histories");
    expect_store(s, s->text[1]);
    expect_waiting(s, 0, NULL);
    buffer_free(&fork);
}

static void test_moved_on(void **state)
{
    struct scene *s = *state;
    char path[PATH_MAX + 32];
    give_all(s, "b");
    snprintf(path, sizeof(path), "%s/db/rp/1/_00001.wal", s->wal);
    FILE *f = fopen(path, "ae");
    fputs("more", f);
    fclose(f);
    char *before = tree_text(s->root);
    give(s, "0.tar", &s->number[0], -ESTALE, "the store has moved on since");
    char *after = tree_text(s->root);
    assert_string_equal(before, after);
    free(before);
    free(after);
    reopen(s);
    give(s, "0.tar", &s->number[0], -ESTALE, "the store has moved on since");
    expect_waiting(s, 0, NULL);
}

static int asked, change_at; /* the store changes when it is asked for the Nth time */
static bool changed_before;  /* it was still the store before the number */

static int changes_the_store(const struct store_paths *p, struct err *e)
{
    char path[PATH_MAX], *text = NULL;
    size_t n;
    (void)e;
    if (++asked != change_at)
        return 0;
    snprintf(path, sizeof(path), "%s/meta.db", p->meta);
    assert_int_equal(io_read_file(AT_FDCWD, path, 100, &text, &n), 0);
    changed_before = strcmp(text, "meta base") == 0;
    free(text);
    snprintf(path, sizeof(path), "%s/%s", p->data, strchr(TSM1, '/') + 1);
    FILE *f = fopen(path, "ae");
    fputs("more", f);
    fclose(f);
    return 0;
}

/* What is staged is linked with the store: it must not be changed in the last moment. */
static void test_changed_meanwhile(void **state)
{
    struct scene *s = *state;
    int before = 0;
    for (change_at = 1; change_at == 1 || asked >= change_at - 1; change_at++) {
        struct err e;
        s->in_use = NULL;
        reopen(s);
        give_all(s, "b");
        s->in_use = changes_the_store;
        asked = -1000; /* the opening asks, too */
        reopen(s);
        asked = 0;
        changed_before = false;
        int r = drop_bytes(s, "0.tar", &s->number[0], &e);
        assert_int_equal(r, changed_before ? -ESTALE : 0);
        expect_waiting(s, 0, NULL);
        before += changed_before;
    }
    assert_true(before >= 5);
}

/* What influxd derives does not count. */
static void test_derived(void **state)
{
    struct scene *s = *state;
    char path[PATH_MAX + 32];
    give_all(s, "b");
    snprintf(path, sizeof(path), "%s/db/_series/00", s->data);
    tree_put(path, "0000", "series");
    snprintf(path, sizeof(path), "%s/db/rp/1/index/0", s->data);
    tree_put(path, "L0-00000001.tsl", "index");
    snprintf(path, sizeof(path), "%s/db/rp/1", s->data);
    tree_put(path, "fields.idx", "fields");
    give_all(s, "0");
    expect_store(s, s->text[1]);
}

static void test_unfit(void **state)
{
    struct scene *s = *state;
    const struct snap_member m[] = {MEMBER("meta/meta.db", "x")};
    const struct snap_member in_file[] = {MEMBER(TSM1 "/a", "x")};
    static const char *const removed[] = {"\"data/db/rp/1/000000009-000000001.tsm\"", NULL,
                                          "\"meta/meta.db\""};
    static const char *const folders[] = {NULL, "\"data/db/rp/1\"", NULL};
    give_all(s, "b");
    for (int i = 0; i < 3; i++) {
        struct buffer tar = snap_build(m, i == 2 ? 0 : 1,
                                       &(struct snap_options){.kind = "incremental",
                                                              .id = "X",
                                                              .parent = "B",
                                                              .number = "0",
                                                              .removed = removed[i],
                                                              .removed_folders = folders[i]});
        give(s, "x.tar", &tar, -EBADMSG, i == 1 ? "no folder" : NULL);
        expect_store(s, s->text[0]);
        expect_waiting(s, 0, NULL);
        buffer_free(&tar);
    }
    struct buffer tar =
        BUILD(in_file, .kind = "incremental", .id = "X", .parent = "B", .number = "0");
    give(s, "x.tar", &tar, -EBADMSG, "no file of a store");
    buffer_free(&tar);
    /* One that waits is taken away when it turns out not to fit, and the rest is restored. */
    give(s, "base.tar", &s->base, 0, NULL);
    tar = BUILD(m, .kind = "incremental", .id = "X1", .chain = "C", .parent = "S0", .number = "1",
                .removed = "\"data/db/rp/7/000000009-000000001.tsm\"");
    give(s, "1.tar", &tar, 0, NULL);
    buffer_free(&tar);
    expect_waiting(s, 1, NULL);
    give_all(s, "0");
    expect_store(s, s->text[1]);
    expect_said(s, "removed 1.tar, which was waiting");
    expect_waiting(s, 0, NULL);
}

static void test_hostile(void **state)
{
    struct scene *s = *state;
    static const char *const names[] = {
        "\"../x\"",         "\"/etc/passwd\"",      "\"data/../meta/meta.db\"",
        "\"meta/raft.db\"", "\"data/.influxfs/x\"", "\"data\""};
    const struct snap_member m[] = {MEMBER("meta/meta.db", "x")};
    give_all(s, "b");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct buffer tar = BUILD(m, .kind = "incremental", .id = "X", .parent = "B", .number = "0",
                                  .removed = names[i]);
        give(s, "0.tar", &tar, -EBADMSG, "removed");
        buffer_free(&tar);
        tar = BUILD(m, .kind = "incremental", .id = "../../x", .parent = "B", .number = "0",
                    .removed_folders = i == 5 ? "\"meta/x\"" : names[i]);
        give(s, "0.tar", &tar, -EBADMSG, "removed_folders");
        buffer_free(&tar);
    }
    struct buffer tar =
        BUILD(m, .kind = "incremental", .id = "../../x", .parent = "Q", .number = "0");
    give(s, "0.tar", &tar, 0, NULL);
    expect_waiting(s, 1, NULL);
    buffer_free(&tar);
    struct err e;
    assert_int_equal(session_forget_waiting(s->session, &e), 0);
    expect_waiting(s, 0, NULL);
    expect_store(s, s->text[0]);
}

static void test_damaged(void **state)
{
    struct scene *s = *state;
    give_all(s, "b2");
    struct buffer bad = {0};
    buffer_add(&bad, s->number[0].p, s->number[0].n);
    bad.p[bad.n / 2] ^= 1;
    give(s, "0.tar", &bad, -EBADMSG, NULL);
    bad.n /= 2;
    give(s, "0.tar", &bad, -EBADMSG, "ends early");
    buffer_free(&bad);
    expect_store(s, s->text[0]);
    expect_waiting(s, 1, "number 1 is missing");
    give_all(s, "01");
    expect_store(s, s->text[3]);
}

/* rsync's way: verified under a name with a dot, judged at the rename. */
static void test_dot_names(void **state)
{
    struct scene *s = *state;
    struct upload *d = NULL;
    struct err e = {0};
    give_all(s, "b");
    assert_int_equal(upload_new(s->session, ".0.tar.x", NULL, &d), 0);
    assert_int_equal(upload_write(d, s->number[0].p, s->number[0].n, 0, NULL, &e), 0);
    assert_int_equal(upload_flush(d, NULL, &e), 0);
    expect_store(s, s->text[0]);
    assert_int_equal(upload_rename(d, "0.tar", NULL, &e), 0);
    expect_store(s, s->text[1]);
    assert_true(upload_restored(d));
    upload_free(d);
    assert_int_equal(upload_new(s->session, ".2.tar.x", NULL, &d), 0);
    assert_int_equal(upload_write(d, s->number[2].p, s->number[2].n, 0, NULL, &e), 0);
    assert_int_equal(upload_flush(d, NULL, &e), 0);
    upload_abandon(d, "gone", NULL);
    expect_waiting(s, 0, NULL);
    upload_free(d);
    assert_int_equal(upload_new(s->session, ".2.tar.x", NULL, &d), 0);
    assert_int_equal(upload_write(d, s->number[2].p, s->number[2].n, 0, NULL, &e), 0);
    assert_int_equal(upload_flush(d, NULL, &e), 0);
    assert_int_equal(upload_rename(d, "2.tar", NULL, &e), 0);
    assert_false(upload_restored(d));
    expect_waiting(s, 1, NULL);
    upload_free(d);
}

/* A number that comes while another restore is under way waits, and is then looked after. */
static void test_while_another(void **state)
{
    struct scene *s = *state;
    struct upload *d = NULL;
    struct err e = {0};
    give_all(s, "b");
    assert_int_equal(upload_new(s->session, "again.tar", NULL, &d), 0);
    assert_int_equal(upload_write(d, s->base.p, s->base.n - 1024, 0, NULL, &e), 0);
    expect_said(s, "restoring again.tar"); /* it has the staging area */
    give_all(s, "0");
    expect_store(s, s->text[0]);
    expect_waiting(s, 1, "another restore");
    upload_abandon(d, "gone", NULL);
    upload_free(d);
    expect_store(s, s->text[1]);
    expect_waiting(s, 0, NULL);
}

struct writer {
    struct scene *s;
    char which;
    int code;
    pthread_t thread;
};

static void *write_one(void *arg)
{
    struct writer *w = arg;
    struct err e;
    const char *name;
    const struct buffer *tar = member_of(w->s, &name, w->which);
    w->code = drop_bytes(w->s, name, tar, &e);
    return NULL;
}

static void test_all_at_once(void **state)
{
    struct scene *s = *state;
    for (int turn = 0; turn < 10; turn++) {
        struct writer w[4];
        for (int i = 0; i < 4; i++) {
            w[i] = (struct writer){.s = s, .which = "b012"[(i + turn) % 4]};
            assert_int_equal(pthread_create(&w[i].thread, NULL, write_one, &w[i]), 0);
        }
        for (int i = 0; i < 4; i++) {
            pthread_join(w[i].thread, NULL);
            assert_int_equal(w[i].code, 0);
        }
        expect_store(s, s->text[3]);
        expect_waiting(s, 0, NULL);
        /* Back to a store that knows nothing of the chain. */
        const struct snap_member m[] = {MEMBER("meta/meta.db", "other")};
        struct buffer other = BUILD(m, .id = "other");
        give(s, "other.tar", &other, 0, NULL);
        buffer_free(&other);
    }
}

static void test_collect(void **state)
{
    struct scene *s = *state;
    give_all(s, "b012");
    s->collect = true;
    reopen(s);
    give_all(s, "01");
    expect_store(s, s->text[3]);
    give_all(s, "b");
    expect_store(s, s->text[2]);
    give_all(s, "2"); /* nothing comes of it */
    reopen(s);
    expect_waiting(s, 0, NULL);
    expect_store(s, s->text[2]);
}

/* Without a state folder the record is gone with the process. */
static void test_no_state(void **state)
{
    struct scene *s = *state;
    int fd = s->state_fd;
    s->state_fd = -1;
    reopen(s);
    give_all(s, "b01");
    expect_store(s, s->text[2]);
    reopen(s);
    give_all(s, "2");
    expect_store(s, s->text[2]);
    expect_waiting(s, 1, "base.tar of its chain, and number 1");
    s->state_fd = fd;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_states),       TEST(test_every_order),
        TEST(test_one_exchange), TEST(test_gap),
        TEST(test_nothing_new),  TEST(test_same_again),
        TEST(test_back),         TEST(test_wrong_parent),
        TEST(test_moved_on),     TEST(test_changed_meanwhile),
        TEST(test_derived),      TEST(test_unfit),
        TEST(test_hostile),      TEST(test_damaged),
        TEST(test_dot_names),    TEST(test_while_another),
        TEST(test_all_at_once),  TEST(test_collect),
        TEST(test_no_state),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
