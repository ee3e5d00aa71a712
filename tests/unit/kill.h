/* SPDX-License-Identifier: MIT */
/*
 * A restore that is killed after each of its system calls that change the disk, for the tests of
 * the exchange: killed there, it leaves the old store, the new one, or a fence; and the next mount
 * makes it the old one or the new one, with nothing left over.
 *
 * The program runs itself again under preload_kill.so to be killed: its main() begins with
 * kill_main. What is killed is a process and not the machine, so that no disk is needed to show it:
 * where mounts of our own can be made, each store lies in memory, since each of some thousand
 * restores would wait for a disk many times.
 */
#ifndef INFLUXFS_TESTS_KILL_H
#define INFLUXFS_TESTS_KILL_H

#include "tests/unit/snap.h"
#include "tests/unit/watched.h"

#include "store/restore/session.h"
#include "store/restore/upload.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const folders[] = {"meta", "data", "wal"};

#define CHAIN_STAGED 160
#define CHAIN_STRIDE 7

/* What is left behind is the same under a sanitizer. */
#define STRIDE (WATCHED ? 7 : 1)
#define STRANGER "x/rp/notes.txt"

static inline char *in(const char *root, const char *name)
{
    size_t n = strlen(root) + strlen(name) + 2;
    char *p = malloc(n);
    if (!p)
        abort();
    snprintf(p, n, "%s/%s", root, name);
    return p;
}

static inline struct store_paths paths_in(const char *root)
{
    return (struct store_paths){in(root, "meta"), in(root, "data"), in(root, "wal"), NULL};
}

static inline void paths_free(struct store_paths *p)
{
    free(p->meta);
    free(p->data);
    free(p->wal);
}

static inline struct buffer new_snapshot(void)
{
    static const char tsm[3000] = "new tsm";
    const struct snap_member m[] = SNAP_MEMBERS(tsm, sizeof(tsm), "new meta");
    return snap_build(m, SNAP_COUNT, NULL);
}

/* What follows new_snapshot: of every file something else. */
static inline struct buffer new_number(void)
{
    const struct snap_member m[] = {
        {"meta/meta.db", 0, "newer meta", 10, NULL, false, false, 0},
        {"data/my db/rp/2", AE_IFDIR, NULL, 0, NULL, false, false, 0},
        {"data/my db/rp/2/000000002-000000001.tsm", 0, "newer tsm", 9, NULL, false, false, 0},
        {"wal/my db/rp/1/_00001.wal", 0, "segment, longer", 15, NULL, false, false, 0}};
    return snap_build(m, sizeof(m) / sizeof(*m),
                      &(struct snap_options){.kind = "incremental",
                                             .id = "snap-2",
                                             .parent = "snap-1",
                                             .number = "0",
                                             .removed_folders = "\"data/my db/rp/1/index\""});
}

/* Where there is such a folder; -1. */
static inline int open_state(const char *root)
{
    char *p = in(root, "state");
    int fd = open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(p);
    return fd;
}

/* Restores in this process. */
static inline int drop_into(const char *root, struct buffer tar,
                            int (*in_use)(const struct store_paths *, struct err *), struct err *e)
{
    struct store_paths paths = paths_in(root);
    autoclose int state = open_state(root);
    struct session *session = NULL;
    struct upload *d = NULL;
    const struct session_options o = {
        .paths = &paths, .uid = (uid_t)-1, .gid = (gid_t)-1, .in_use = in_use, .state_fd = state};
    int r = session_open(&o, &session, e);
    if (r == 0)
        r = session_may_begin(session, e);
    if (r == 0)
        r = upload_new(session, "now.tar", NULL, &d);
    for (size_t at = 0; r == 0 && at < tar.n; at += 4096)
        r = upload_write(d, tar.p + at, tar.n - at < 4096 ? tar.n - at : 4096, at, NULL, e);
    if (r == 0)
        r = upload_flush(d, NULL, e);
    upload_free(d);
    session_close(session);
    buffer_free(&tar);
    paths_free(&paths);
    return r;
}

static inline int restore_into(const char *root,
                               int (*in_use)(const struct store_paths *, struct err *),
                               struct err *e)
{
    return drop_into(root, new_snapshot(), in_use, e);
}

static inline int recover(const char *root, struct err *e)
{
    struct store_paths paths = paths_in(root);
    autoclose int state = open_state(root);
    struct session *session = NULL;
    const struct session_options o = {
        .paths = &paths, .uid = (uid_t)-1, .gid = (gid_t)-1, .state_fd = state};
    int r = session_open(&o, &session, e);
    session_close(session);
    paths_free(&paths);
    return r;
}

/* What the killed process does. */
static inline int child_main(const char *what, const char *root)
{
    struct err e = {0};
    int r = strcmp(what, "restore") == 0  ? restore_into(root, NULL, &e)
            : strcmp(what, "number") == 0 ? drop_into(root, new_number(), NULL, &e)
                                          : recover(root, &e);
    if (r < 0)
        fprintf(stderr, "%s: %d %s\n", what, r, e.text);
    return r < 0 ? 1 : 0;
}

/* Runs it, to be killed after call n. True if it was; it must have succeeded otherwise. */
static inline bool killed_at(const char *what, const char *root, long n)
{
    char self[PATH_MAX], preload[PATH_MAX + 32], at[32];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(len > 0);
    self[len] = 0;
    snprintf(preload, sizeof(preload), "%.*s/preload_kill.so", (int)(strrchr(self, '/') - self),
             self);
    snprintf(at, sizeof(at), "%ld", n);
    if (access(preload, R_OK) < 0)
        fail_msg("%s is not there: make units", preload);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("LD_PRELOAD", preload, 1);
        setenv("KILL_ROOT", root, 1);
        setenv("KILL_AT", at, 1);
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
        execl(self, self, what, root, NULL);
        _exit(127);
    }
    int status = 0;
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

/* CHAIN: the store is new_snapshot's, and new_number is restored onto it. */
enum layout { PLAIN, KEPT_BEFORE, ABSENT, MOUNTED, MOUNTED_KEPT, CHAIN, CHAIN_MOUNTED };
static const char *const layout_names[] = {
    "plain", "kept before", "absent", "mounted", "mounted, kept before", "chain", "chain, mounted"};

static inline bool is_chain(enum layout l)
{
    return l >= CHAIN;
}

static inline void put(const char *root, const char *name, const char *text)
{
    char *p = in(root, name);
    char *slash = strrchr(p, '/');
    *slash = 0;
    assert_int_equal(io_mkdir_p(p, 0755, (uid_t)-1, (gid_t)-1), 0);
    *slash = '/';
    int fd = open(p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    free(p);
}

static inline bool is_mounted(enum layout l)
{
    return l == MOUNTED || l == MOUNTED_KEPT || l == CHAIN_MOUNTED;
}

static inline bool private_mounts(void)
{
    static int can = -1;
    if (can < 0)
        can = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
              mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0;
    return can;
}

static const char *const kept_data[] = {"data.before-restore", "data.left-behind-1"};
static const char *const kept_inside[] = {"data/.influxfs/before-restore/data",
                                          "data/.influxfs/left-behind-1/data"};

static inline void put_kept(const char *root, enum layout l, const char *name, const char *text)
{
    char *path = in(is_mounted(l) ? kept_inside[0] : kept_data[0], name);
    put(root, path, text);
    free(path);
}

/* What somebody put into the kept store is still there, whatever became of that. */
static inline void check_stranger(const char *root, enum layout l)
{
    int found = 0;
    for (int i = 0; i < 2; i++) {
        char *name = in(is_mounted(l) ? kept_inside[i] : kept_data[i], STRANGER);
        char *path = in(root, name);
        found += access(path, F_OK) == 0;
        free(path);
        free(name);
    }
    if (found != 1)
        fail_msg("%s: %d of %s", layout_names[l], found, STRANGER);
}

static inline char *make_store(enum layout l)
{
    char *root = temp_folder();
    if (private_mounts())
        assert_int_equal(mount("tmpfs", root, "tmpfs", 0, "size=8m,mode=0755"), 0);
    if (l == ABSENT)
        return root;
    if (is_mounted(l)) {
        char *data = in(root, "data");
        assert_int_equal(mkdir(data, 0755), 0);
        assert_int_equal(mount("tmpfs", data, "tmpfs", 0, "size=8m,mode=0755"), 0);
        free(data);
    }
    put(root, "meta/meta.db", "old meta");
    put(root, "meta/node.json", "{}");
    put(root, "data/old db/rp/7/000000001-000000001.tsm", "old tsm");
    put(root, "data/other/rp/8/000000002-000000001.tsm", "old tsm two");
    put(root, "wal/old db/rp/7/_00002.wal", "old wal");
    if (l == KEPT_BEFORE || l == MOUNTED_KEPT) {
        put(root, "meta.before-restore/meta.db", "older meta");
        put(root, "wal.before-restore/x/rp/1/_00001.wal", "older wal");
        put_kept(root, l, "x/rp/1/000000001-000000001.tsm", "older tsm");
        put_kept(root, l, STRANGER, "somebody's own");
    }
    if (is_chain(l)) {
        char *state = in(root, "state");
        struct err e;
        assert_int_equal(mkdir(state, 0700), 0);
        free(state);
        if (restore_into(root, NULL, &e) < 0)
            fail_msg("%s: %s", layout_names[l], e.text);
    }
    return root;
}

static inline void drop_store(char *root, enum layout l)
{
    if (is_mounted(l)) {
        char *data = in(root, "data");
        assert_int_equal(umount2(data, MNT_DETACH), 0);
        free(data);
    }
    if (private_mounts())
        assert_int_equal(umount2(root, MNT_DETACH), 0);
    tree_remove(root);
}

/* Three folders (of the store, or those kept) as one text. */
static inline char *store_text(const char *root, enum layout l, bool kept)
{
    struct buffer out = {0};
    for (int i = 0; i < 3; i++) {
        char *name = NULL;
        bool inside = kept && i == 1 && is_mounted(l);
        assert_true(asprintf(&name, "%s/%s%s", root,
                             inside ? "data/.influxfs/before-restore/data" : folders[i],
                             kept && !inside ? ".before-restore" : "") > 0);
        char *text = tree_text(name);
        buffer_text(&out, "[%s]\n", folders[i]);
        buffer_add(&out, text, strlen(text));
        free(text);
        free(name);
    }
    buffer_add(&out, "", 1);
    return out.p;
}

static inline bool fenced(const char *root)
{
    char *p = in(root, "meta/raft.db");
    bool there = access(p, F_OK) == 0;
    free(p);
    return there;
}

/* Names beside the store's folders, or in .influxfs, that are no one's business after recovery. */
static inline void check_litter(const char *root, enum layout l)
{
    static const char *const places[] = {"", "data", "meta", "wal", "data/.influxfs"};
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        char *p = in(root, places[i]);
        cleanup(dir_free) struct dir list = {0};
        autoclose int fd = open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        free(p);
        if (fd < 0)
            continue;
        assert_int_equal(dir_read(fd, &list), 0);
        for (size_t k = 0; k < list.n; k++) {
            const char *n = list.names[k];
            const char *dot = strrchr(n, '.');
            if (strstr(n, "restoring") || strstr(n, "journal") || strstr(n, "pending") ||
                strstr(n, "probe") || strstr(n, "spool") || strstr(n, "raft") ||
                (dot && (strcmp(dot, ".tmp") == 0 || strcmp(dot, ".old") == 0)) ||
                (!is_mounted(l) && strcmp(n, ".influxfs") == 0))
                fail_msg("%s: left over: %s/%s", layout_names[l], places[i], n);
        }
    }
}

struct texts {
    char *old_store, *old_kept, *new_store;
};

/* The fence on its way in: influxd takes no notice of it. */
static inline void forget_half_fence(char *text)
{
    char *line = strstr(text, "/raft.db.tmp ");
    char *end = line ? strchr(line, '\n') : NULL;
    if (end)
        memmove(line, end + 1, strlen(end + 1) + 1);
}

static inline void check_whole(const char *root, enum layout l, const struct texts *t,
                               bool recovered, long n)
{
    char *now = store_text(root, l, false);
    char *kept = store_text(root, l, true);
    if (!recovered)
        forget_half_fence(now);
    bool is_old = strcmp(now, t->old_store) == 0;
    bool is_new = strcmp(now, t->new_store) == 0;
    if (!is_old && !is_new && (recovered || !fenced(root)))
        fail_msg("%s, killed after call %ld, %s: half a store\n%s", layout_names[l], n,
                 recovered ? "recovered" : "as left", now);
    if (recovered) {
        check_litter(root, l);
        if (l == KEPT_BEFORE || l == MOUNTED_KEPT)
            check_stranger(root, l);
        if (is_old || is_chain(l))
            assert_string_equal(kept, t->old_kept);
        else
            assert_string_equal(kept, t->old_store);
    }
    free(now);
    free(kept);
}

static inline struct texts learn(enum layout l)
{
    char *root = make_store(l);
    struct err e = {0};
    struct texts t = {store_text(root, l, false), store_text(root, l, true), NULL};
    if (drop_into(root, is_chain(l) ? new_number() : new_snapshot(), NULL, &e) < 0)
        fail_msg("%s: %s", layout_names[l], e.text);
    t.new_store = store_text(root, l, false);
    assert_string_not_equal(t.old_store, t.new_store);
    check_whole(root, l, &t, true, 0);
    if (l == ABSENT) {
        /* Nothing was there, so nothing is kept: not even empty folders. */
        char *p = in(root, "meta.before-restore");
        assert_int_not_equal(access(p, F_OK), 0);
        free(p);
    }
    drop_store(root, l);
    return t;
}

/* What was recovered is known for what it is: the number is restored, or was already. */
static inline void check_goes_on(const char *root, enum layout l, const struct texts *t, long n)
{
    struct err e = {0};
    if (drop_into(root, new_number(), NULL, &e) < 0)
        fail_msg("%s, call %ld: the number again: %s", layout_names[l], n, e.text);
    char *now = store_text(root, l, false);
    assert_string_equal(now, t->new_store);
    free(now);
    check_whole(root, l, t, true, n);
}

/* The last line of the log is of what the store is. */
static inline void check_log(const char *root, bool is_new, long n)
{
    char *path = in(root, "state/restore.log"), *text = NULL;
    size_t len = 0;
    assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 20, &text, &len), 0);
    text[len - 1] = 0;
    const char *last = strrchr(text, '\n') + 1;
    bool says_new = strstr(last, " restored") || strstr(last, "finished the restore") ||
                    (strstr(last, "which was complete") && strstr(last, "snap-2"));
    if (is_new && !says_new)
        fail_msg("call %ld, the new store, and last in the log: %s", n, last);
    free(text);
    free(path);
}

static inline void kill_everywhere(enum layout l)
{
    struct texts t = learn(l);
    long finished = 0, undone = 0, n = 0;
    for (bool killed = true; killed;) {
        char *root = make_store(l);
        struct err e = {0};
        /* Of a chain, while it is staged, some calls will do. */
        n += is_chain(l) && n < CHAIN_STAGED ? CHAIN_STRIDE : STRIDE;
        killed = killed_at(is_chain(l) ? "number" : "restore", root, n);
        check_whole(root, l, &t, false, n);
        /* The recovery may be cut off too, at places that differ from one to the next. */
        for (long again = n % 11 + 1; killed && again < 40; again += 13) {
            if (!killed_at("recover", root, again))
                break;
            check_whole(root, l, &t, false, n);
        }
        if (recover(root, &e) < 0)
            fail_msg("%s, call %ld: recovery: %s", layout_names[l], n, e.text);
        check_whole(root, l, &t, true, n);
        char *now = store_text(root, l, false);
        if (is_chain(l))
            check_log(root, strcmp(now, t.new_store) == 0, n);
        if (strcmp(now, t.new_store) == 0)
            finished++;
        else
            undone++;
        free(now);
        if (is_chain(l))
            check_goes_on(root, l, &t, n);
        drop_store(root, l);
    }
    print_message("%s: %ld calls, %ld undone, %ld finished\n", layout_names[l], n - 1, undone,
                  finished);
    assert_true(finished > 20 / STRIDE && undone > 20 / STRIDE);
    free(t.old_store);
    free(t.old_kept);
    free(t.new_store);
}

/* For main(): the part of the process that is killed. Below zero: go on with the tests. */
static inline int kill_main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    return argc == 3 ? child_main(argv[1], argv[2]) : -1;
}

#endif
