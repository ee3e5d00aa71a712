/* SPDX-License-Identifier: MIT */
/* A look-up after another: what is taken over from the capture before is what a look at everything
 * would find. After each change the tar of a source that has looked before is compared, byte for
 * byte, with that of a source that has not. */
#include "store/base/time.h"
#include "store/snapshot/capture_source.h"
#include "store/snapshot/tarball.h"
#include "store/snapshot/watch.h"
#include "tests/unit/store_builder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND ((int64_t)1000000000)
#define NOBODY 65534

struct fixture {
    struct store store;
    struct catalog *catalog;
    struct hasher *hasher;
    struct capture_source *source;
    struct tarball *newest; /* of the source */
};

static const struct meta_entry shards[] = {
    {"a", "rp", 1, false}, {"a", "rp", 2, false}, {"a", "rp", 3, false}, {"b", "rp", 4, false}};
#define NSHARDS 4

static void put_meta(const struct store *s)
{
    store_meta(s, shards, NSHARDS);
}

static void put_wal(const struct store *s, const char *rel, const char *key)
{
    struct buffer b = {0};
    wal_entry(&b, key, 3);
    store_put(s, rel, b.p, b.n);
    buffer_free(&b);
}

static void build(const struct store *s)
{
    for (int i = 1; i <= 40; i++) {
        char rel[64];
        snprintf(rel, sizeof(rel), "data/a/rp/1/%09d-000000001.tsm", i);
        store_text(s, rel, "one");
    }
    store_text(s, "data/a/rp/1/000000002-000000001.tombstone", "stone");
    store_text(s, "data/a/rp/2/000000001-000000001.tsm", "two");
    store_mkdir(s, "data/a/rp/2/index");
    store_mkdir(s, "data/a/rp/3");
    store_text(s, "data/b/rp/4/000000001-000000001.tsm", "four");
    put_wal(s, "wal/a/rp/1/_00001.wal", "cpu");
    put_wal(s, "wal/a/rp/1/_00002.wal", "mem");
    put_wal(s, "wal/b/rp/4/_00001.wal", "cpu");
    store_mkdir(s, "wal/a/rp/2");
    put_meta(s);
}

static const char *const folders[] = {
    "data",        "wal",        "data/a",    "data/a/rp",   "data/a/rp/1", "data/a/rp/2",
    "data/a/rp/3", "data/b",     "data/b/rp", "data/b/rp/4", "wal/a",       "wal/a/rp",
    "wal/a/rp/1",  "wal/a/rp/2", "wal/b",     "wal/b/rp",    "wal/b/rp/4",  "meta"};

/* All folders get a time at which nothing happens any more, so that their times are believed. */
static void age(const struct store *s)
{
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        autofree char *path = store_path(s, folders[i]);
        if (access(path, F_OK) == 0)
            store_age(s, folders[i], 100);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err note, e = {0};
    f->store = store_new();
    assert_int_equal(catalog_open(NULL, &f->catalog, &note, &e), 0);
    assert_int_equal(hasher_new(&f->hasher), 0);
    assert_int_equal(capture_source_new(&f->store.paths, f->catalog, "host", &f->source), 0);
    build(&f->store);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tarball_unref(f->newest);
    hasher_free(f->hasher);
    capture_source_free(f->source);
    catalog_close(f->catalog);
    store_free(&f->store);
    free(f);
    return 0;
}

static struct tarball *take(struct fixture *f, struct capture_source *source,
                            struct tarball *newest)
{
    struct window_wait wait = {time_mono_ns() + 20 * SECOND, NULL, NULL};
    struct capture *c, *before = newest ? tarball_capture(newest) : NULL;
    struct tarball *t;
    struct err e = {0};
    int r = capture_source_take(source, before, &wait, &c, &e);
    if (r < 0)
        fail_msg("capture_source_take: %d %s", r, e.text);
    assert_int_equal(tarball_new(f->hasher, c, &t), 0);
    return t;
}

/* Whether the capture is the one before. */
static bool look(struct fixture *f)
{
    struct tarball *t = take(f, f->source, f->newest);
    bool same = f->newest && tarball_capture(t) == tarball_capture(f->newest);
    tarball_unref(f->newest);
    f->newest = t;
    return same;
}

static char *bytes_of(struct tarball *t)
{
    struct err e = {0};
    char *bytes = malloc(tarball_size(t));
    ssize_t n = tarball_read(t, bytes, tarball_size(t), 0, NULL, &e);
    if (n != (ssize_t)tarball_size(t))
        fail_msg("tarball_read: %zd %s", n, e.text);
    return bytes;
}

/* What another source finds, which remembers nothing. The state is in the catalogue already, so the
 * record and all indexes must be the same. */
static void check(struct fixture *f, const char *what)
{
    struct capture_source *fresh;
    assert_int_equal(capture_source_new(&f->store.paths, f->catalog, "host", &fresh), 0);
    struct tarball *t = take(f, fresh, NULL);
    autofree char *expected = bytes_of(t), *got = bytes_of(f->newest);
    if (tarball_size(t) != tarball_size(f->newest))
        fail_msg("%s: %llu bytes, not %llu:\n%.3000s", what,
                 (unsigned long long)tarball_size(f->newest), (unsigned long long)tarball_size(t),
                 got + 512);
    if (memcmp(got, expected, tarball_size(t)) != 0)
        fail_msg("%s: another tar:\n%.3000s\n%.3000s", what, got + 512, expected + 512);
    /* Any place is found by sums of lengths. */
    for (uint64_t off = 0; off < tarball_size(t); off += 997) {
        char part[100];
        struct err e = {0};
        ssize_t n = tarball_read(f->newest, part, sizeof(part), off, NULL, &e);
        assert_true(n > 0);
        if (memcmp(part, expected + off, (size_t)n) != 0)
            fail_msg("%s: other bytes at %llu", what, (unsigned long long)off);
    }
    tarball_unref(t);
    capture_source_free(fresh);
}

/* Looks until what was found is believed, so that a change is the only reason to look again. */
static void settle(struct fixture *f)
{
    age(&f->store);
    look(f);
    assert_true(look(f));
    assert_true(look(f));
}

/* Dangers: each changes the store in a way that folder times, sizes or names alone do not tell. */

static void times_of(const struct store *s, const char *rel, struct timespec t[2])
{
    autofree char *path = store_path(s, rel);
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    t[0] = st.st_atim;
    t[1] = st.st_mtim;
}

static void set_times(const struct store *s, const char *rel, const struct timespec t[2])
{
    autofree char *path = store_path(s, rel);
    assert_int_equal(utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW), 0);
}

/* Replaces a file by one of the same name, size and time, and gives its folder its time back. */
static void replace_unseen(const struct store *s, const char *folder, const char *rel,
                           const char *text)
{
    struct timespec file[2], dir[2];
    times_of(s, rel, file);
    times_of(s, folder, dir);
    store_text(s, rel, text);
    set_times(s, rel, file);
    set_times(s, folder, dir);
}

static void tsm_replaced(const struct store *s)
{
    replace_unseen(s, "data/a/rp/2", "data/a/rp/2/000000001-000000001.tsm", "TWO");
}

static void segment_replaced(const struct store *s)
{
    struct timespec file[2], dir[2];
    times_of(s, "wal/a/rp/1/_00001.wal", file);
    times_of(s, "wal/a/rp/1", dir);
    put_wal(s, "wal/a/rp/1/_00001.wal", "CPU");
    set_times(s, "wal/a/rp/1/_00001.wal", file);
    set_times(s, "wal/a/rp/1", dir);
}

static void segment_grown(const struct store *s)
{
    struct buffer b = {0};
    struct timespec file[2];
    times_of(s, "wal/a/rp/1/_00002.wal", file);
    wal_entry(&b, "disk", 1);
    store_append(s, "wal/a/rp/1/_00002.wal", b.p, b.n);
    set_times(s, "wal/a/rp/1/_00002.wal", file);
    buffer_free(&b);
}

static void earlier_segment_cut_short(const struct store *s)
{
    autofree char *path = store_path(s, "wal/a/rp/1/_00001.wal");
    assert_int_equal(truncate(path, 0), 0);
}

static void folder_replaced(const struct store *s)
{
    struct timespec dir[2], above[2];
    autofree char *old = store_path(s, "data/b/rp/4"), *away = store_path(s, "gone");
    times_of(s, "data/b/rp/4", dir);
    times_of(s, "data/b/rp", above);
    assert_int_equal(rename(old, away), 0);
    store_text(s, "data/b/rp/4/000000001-000000001.tsm", "FOUR");
    set_times(s, "data/b/rp/4", dir);
    set_times(s, "data/b/rp", above);
    store_remove(s, "gone");
}

static void shard_made_anew(const struct store *s)
{
    store_remove(s, "data/b/rp/4");
    store_remove(s, "wal/b/rp/4");
    put_wal(s, "wal/b/rp/4/_00001.wal", "new");
    store_text(s, "data/b/rp/4/000000001-000000001.tsm", "four");
    age(s);
}

static void shard_gone(const struct store *s)
{
    store_remove(s, "data/a/rp/3");
    age(s);
}

static void policy_replaced(const struct store *s)
{
    struct timespec above[2];
    autofree char *old = store_path(s, "data/a/rp"), *away = store_path(s, "gone");
    times_of(s, "data/a", above);
    assert_int_equal(rename(old, away), 0);
    for (int i = 1; i <= 3; i++) {
        char rel[64];
        snprintf(rel, sizeof(rel), "data/a/rp/%d/000000001-000000001.tsm", i);
        store_text(s, rel, "new");
    }
    age(s);
    set_times(s, "data/a", above);
    store_remove(s, "gone");
}

static void only_meta(const struct store *s)
{
    struct timespec file[2];
    times_of(s, "meta/meta.db", file);
    put_meta(s);
    set_times(s, "meta/meta.db", file);
    age(s);
}

static void owner_of_a_file(const struct store *s)
{
    autofree char *path = store_path(s, "data/a/rp/1/000000030-000000001.tsm");
    if (chown(path, NOBODY, NOBODY) < 0)
        assert_int_equal(chmod(path, 0640), 0); /* not root */
}

static void mode_of_a_folder(const struct store *s)
{
    autofree char *path = store_path(s, "data/a/rp/2");
    assert_int_equal(chmod(path, 0750), 0);
}

static void file_mended_in_place(const struct store *s)
{
    autofree char *path = store_path(s, "data/a/rp/1/000000031-000000001.tsm");
    autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "MND", 3, 0), 3);
}

/* The clock was ahead when the folder changed, and is set back: its time falls. */
static void clock_set_back(const struct store *s)
{
    store_text(s, "data/a/rp/2/000000002-000000001.tsm", "two");
    store_age(s, "data/a/rp/2", 10000);
}

static void made_in_the_future(const struct store *s)
{
    store_text(s, "data/a/rp/2/000000003-000000001.tsm", "two");
    store_age(s, "data/a/rp/2", -10000);
}

static const struct {
    const char *what;
    void (*make)(const struct store *s);
} dangers[] = {
    {"a TSM file replaced by one of the same name, size and time", tsm_replaced},
    {"a segment replaced by one of the same size and time", segment_replaced},
    {"a segment that grew, with its time set back", segment_grown},
    {"a segment before the last cut short", earlier_segment_cut_short},
    {"a shard's folder replaced, with all times set back", folder_replaced},
    {"a shard removed and made anew with the same id", shard_made_anew},
    {"a shard gone", shard_gone},
    {"meta.db alone, with its time set back", only_meta},
    {"another owner of one file", owner_of_a_file},
    {"another mode of a folder", mode_of_a_folder},
    {"a file mended in place", file_mended_in_place},
    {"a clock set back", clock_set_back},
    {"a clock ahead", made_in_the_future},
    {"a policy's folder replaced", policy_replaced},
};

static void dangers_are_seen(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(dangers) / sizeof(*dangers); i++) {
        settle(f);
        const uint64_t size = tarball_size(f->newest);
        autofree char *was = bytes_of(f->newest);
        struct capture *old = capture_ref(tarball_capture(f->newest));
        dangers[i].make(&f->store);
        if (look(f))
            fail_msg("%s: not seen", dangers[i].what);
        check(f, dangers[i].what);
        /* What was captured before stays what it was, although they share most of it. */
        struct tarball *again;
        assert_int_equal(tarball_new(f->hasher, old, &again), 0);
        assert_int_equal(tarball_size(again), size);
        if (strcmp(dangers[i].what, "a file mended in place") != 0 &&
            strcmp(dangers[i].what, "a segment before the last cut short") != 0) {
            autofree char *is = bytes_of(again);
            if (memcmp(is, was, size) != 0)
                fail_msg("%s: the capture before has changed", dangers[i].what);
        }
        tarball_unref(again);
    }
}

/* Folder times have a tick: what happens in it twice leaves one time. */
static void changes_within_a_tick_are_seen(void **state)
{
    struct fixture *f = *state;
    settle(f);
    for (int i = 1; i <= 100; i++) {
        char data[64], wal[64];
        struct timespec t[2], w[2];
        snprintf(data, sizeof(data), "data/a/rp/2/%09d-000000009.tsm", 2 * i);
        snprintf(wal, sizeof(wal), "wal/a/rp/1/_%05d.wal", 2 * i + 10);
        store_text(&f->store, data, "a");
        put_wal(&f->store, wal, "a");
        times_of(&f->store, "data/a/rp/2", t);
        times_of(&f->store, "wal/a/rp/1", w);
        look(f);
        data[20]++; /* the next number */
        wal[16]++;
        store_text(&f->store, data, "b");
        put_wal(&f->store, wal, "b");
        set_times(&f->store, "data/a/rp/2", t);
        set_times(&f->store, "wal/a/rp/1", w);
        if (look(f))
            fail_msg("%s: not seen", data);
        if (i % 10 == 0)
            check(f, data);
    }
}

static unsigned chance(unsigned n)
{
    static uint64_t seed = 12;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

/* One random thing that influxd, or an operator, does to a store. */
static void change(const struct store *s)
{
    char data[32], wal[32], tsm[64], segment[64];
    const unsigned id = 1 + chance(NSHARDS), file = 1 + chance(6);
    snprintf(data, sizeof(data), "data/%s/rp/%u", id == 4 ? "b" : "a", id);
    snprintf(wal, sizeof(wal), "wal/%s/rp/%u", id == 4 ? "b" : "a", id);
    snprintf(tsm, sizeof(tsm), "%s/%09u-000000001.tsm", data, file);
    snprintf(segment, sizeof(segment), "%s/_%05u.wal", wal, 1 + chance(3));
    autofree char *path = store_path(s, tsm), *log = store_path(s, segment);
    struct buffer b = {0};
    switch (chance(9)) {
    case 0:
        store_text(s, tsm, chance(2) ? "x" : "y");
        break;
    case 1:
        if (access(path, F_OK) == 0)
            store_remove(s, tsm);
        break;
    case 2:
        store_mkdir(s, data);
        put_wal(s, segment, chance(2) ? "k" : "l");
        break;
    case 3:
        wal_entry(&b, "m", 1);
        if (access(log, F_OK) == 0)
            store_append(s, segment, b.p, b.n);
        break;
    case 4:
        if (access(log, F_OK) == 0)
            store_remove(s, segment);
        break;
    case 5:
        if (access(path, F_OK) == 0)
            assert_int_equal(chmod(path, chance(2) ? 0600 : 0644), 0);
        break;
    case 6:
        if (chance(6) == 0)
            put_meta(s);
        break;
    case 7:
        store_remove(s, data);
        store_mkdir(s, data);
        break;
    default:
        if (access(log, F_OK) == 0)
            assert_int_equal(truncate(log, chance(2) ? 0 : 3), 0);
    }
    buffer_free(&b);
}

static void any_change_is_seen(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 400; i++) {
        char what[32];
        snprintf(what, sizeof(what), "step %d", i);
        for (unsigned n = chance(3); n > 0; n--)
            change(&f->store);
        if (chance(2))
            age(&f->store);
        look(f);
        check(f, what);
    }
}

/* Of two captures, what has not changed is the same memory, and a digest tells it. */
static void what_has_not_changed_is_shared(void **state)
{
    struct fixture *f = *state;
    settle(f);
    struct capture *before = capture_ref(tarball_capture(f->newest));
    store_text(&f->store, "data/a/rp/2/000000002-000000001.tsm", "two");
    assert_false(look(f));
    const struct capture *after = tarball_capture(f->newest);
    assert_int_equal(capture_runs(before), capture_runs(after));
    for (size_t i = 0; i < capture_runs(before); i++) {
        const struct capture_run a = capture_run(before, i), b = capture_run(after, i);
        const bool changed = strcmp(a.dir, "data/a/rp/2") == 0;
        assert_string_equal(a.dir, b.dir);
        assert_int_equal(memcmp(a.digest, b.digest, SHA256_BYTES) == 0, !changed);
        if (strcmp(a.dir, "data/a/rp/1") == 0 || strcmp(a.dir, "wal/a/rp/1") == 0)
            assert_ptr_equal(capture_member(before, a.first), capture_member(after, b.first));
        assert_int_equal(b.n, a.n + changed);
        assert_int_equal(capture_member(after, b.first)->attr.mode & S_IFMT, S_IFDIR);
    }
    capture_unref(before);
}

/* All indexes are new then; those of a capture that shares the files stay. */
static void a_lost_catalogue_changes_no_capture(void **state)
{
    struct fixture *f = *state;
    struct err note, e = {0};
    char *dir = temp_folder();
    autofree char *file = NULL;
    assert_true(asprintf(&file, "%s/catalog.mdb", dir) > 0);
    capture_source_free(f->source);
    catalog_close(f->catalog);
    assert_int_equal(catalog_open(dir, &f->catalog, &note, &e), 0);
    assert_int_equal(capture_source_new(&f->store.paths, f->catalog, "host", &f->source), 0);
    settle(f);
    struct capture *before = capture_ref(tarball_capture(f->newest));
    assert_int_equal(unlink(file), 0);
    store_text(&f->store, "data/a/rp/3/000000001-000000001.tsm", "three");
    assert_false(look(f));
    check(f, "a lost catalogue");
    const struct capture *after = tarball_capture(f->newest);
    for (size_t i = 0; i < capture_runs(before); i++) {
        const struct capture_run a = capture_run(before, i), b = capture_run(after, i);
        for (size_t k = 0; k < a.n; k++) {
            const struct member *m = capture_member(before, a.first + k),
                                *n = capture_member(after, b.first + k);
            if (member_is_folder(m))
                continue;
            assert_int_equal(m->index, capture_record(before)->index);
            assert_int_equal(n->index, capture_record(after)->index);
        }
    }
    capture_unref(before);
    tree_remove(dir);
}

/* A folder is watched from its second look on; one event ends that, and the next look begins it. */
static void watches_tell_what_was_touched(void **state)
{
    struct fixture *f = *state;
    struct watches *w = watches_new();
    autofree char *path = store_path(&f->store, "data/a/rp/2"),
                  *file = store_path(&f->store, "data/a/rp/2/000000001-000000001.tsm"),
                  *other = store_path(&f->store, "data/a/rp/1");
    autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autoclose int fd_other = open(other, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct watch none = {0};
    if (!folder_is_local(fd))
        skip();
    assert_false(watch_is_quiet(w, &none));
    for (int i = 0; i < 100; i++) {
        const struct watch a = watch_begin(w, fd), b = watch_begin(w, fd_other);
        watch_look(w);
        assert_true(watch_is_quiet(w, &a));
        assert_int_equal(chmod(file, i % 2 ? 0600 : 0644), 0);
        watch_look(w);
        assert_false(watch_is_quiet(w, &a));
        assert_true(watch_is_quiet(w, &b));
        const struct watch again = watch_begin(w, fd);
        assert_false(watch_is_quiet(w, &a));
        assert_true(watch_is_quiet(w, &again));
    }
    watches_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dangers_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_within_a_tick_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(any_change_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_not_changed_is_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_catalogue_changes_no_capture, setup, teardown),
        cmocka_unit_test_setup_teardown(watches_tell_what_was_touched, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
