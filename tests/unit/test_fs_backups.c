/* SPDX-License-Identifier: MIT */
/* backup_sets: which capture the files of backup/ are of, for whom and for how long, by a clock that
 * need not be waited for. Instants and the status are stand-ins. */
#include "fs/backup_sets.h"
#include "fs/backups.h"
#include "fs/instant.h"
#include "fs/now.h"
#include "fs/parts.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/base/time.h"
#include "tests/unit/memory_capture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define CAPTURES 3
#define FIRST_NS (INT64_C(1465646400) * SECOND_NS) /* 2016-06-11T12:00:00Z */

static struct memory *captures[CAPTURES];
static int now, failures;

int now_instant(struct request *r, const char *what, struct instant **out)
{
    (void)r, (void)what;
    *out = (struct instant *)captures[now];
    return captures[now] ? 0 : -ENOENT;
}

int parts_instant(struct request *r, const char *db, const char *what, struct instant **out)
{
    (void)db;
    return now_instant(r, what, out);
}

struct capture *instant_capture(const struct instant *i)
{
    return capture_ref((struct capture *)i);
}

void instant_put(struct instant *i)
{
    (void)i;
}

struct catalog *snapshots_catalog(struct snapshots *s)
{
    (void)s;
    return NULL;
}

void status_failed(struct status *s, const char *what, const char *why)
{
    (void)s, (void)what;
    failures += *why != 0;
}

struct fixture {
    struct fs fs;
    struct fuse_ctx mine, parents;
    struct request me, parent;
};

static struct memory *capture_at(int seconds)
{
    static const struct shard_times shards[] = {{1, 0, 100000000000}};
    struct memory *m = memory_new();
    struct buffer wal = {0};
    wal_entry(&wal, "m#!~#v", (uint32_t)seconds + 1);
    memory_meta(m, shards, 1);
    memory_add(m, "wal/db/rp/1", "_00001.wal", wal);
    m->c.record.created_ns = FIRST_NS + seconds * SECOND_NS;
    return m;
}

static void at(int64_t seconds)
{
    time_shift(0, seconds * SECOND_NS);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->fs.backups = backup_sets_new(&f->fs);
    backupfiles_init(&f->fs);
    f->mine.pid = getpid();
    f->parents.pid = getppid();
    f->me = (struct request){.fs = &f->fs, .ctx = &f->mine};
    f->parent = (struct request){.fs = &f->fs, .ctx = &f->parents};
    for (int i = 0; i < CAPTURES; i++)
        captures[i] = capture_at(i);
    now = failures = 0;
    at(0);
    *state = f;
    return !f->fs.backups;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    backup_sets_drop_all(f->fs.backups);
    backup_sets_free(f->fs.backups);
    materials_clear(&f->fs.backup_files);
    for (int i = 0; i < CAPTURES; i++) {
        assert_int_equal(captures[i]->c.refs, 1);
        capture_unref(&captures[i]->c);
    }
    free(f);
    at(0);
    return 0;
}

/* Which capture the caller gets. */
static int looks(struct request *r, bool listing)
{
    struct backup_sets *s;
    assert_int_equal(backup_sets_now(r, NULL, listing, &s), 0);
    int found = 0;
    while (found < CAPTURES && backup_sets_capture(s) != &captures[found]->c)
        found++;
    backup_sets_unref(s);
    return found;
}

/* The same by the time in a name; -1: it is not there. */
static int looks_for(struct request *r, int seconds)
{
    char base[MADESET_BASE];
    struct backup_sets *s;
    madeset_base(FIRST_NS + seconds * SECOND_NS, base);
    int rc = backup_sets_at(r, NULL, base, &s);
    if (rc == -ENOENT)
        return -1;
    assert_int_equal(rc, 0);
    int found = 0;
    while (backup_sets_capture(s) != &captures[found]->c)
        found++;
    backup_sets_unref(s);
    return found;
}

static void later(struct fixture *f, int64_t seconds)
{
    at(seconds);
    backup_sets_expire(f->fs.backups);
}

static void test_process(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(looks(&f->me, true), 0);
    now = 1;
    assert_int_equal(looks(&f->me, false), 0);
    assert_int_equal(looks(&f->parent, false), 1);
    later(f, 599); /* however often it looks */
    assert_int_equal(looks(&f->me, false), 0);
    later(f, 601);
    assert_int_equal(looks(&f->me, false), 1);
    later(f, 661);
    assert_int_equal(captures[0]->c.refs, 1);
}

static void test_listing(void **state)
{
    struct fixture *f = *state;
    struct backup_sets *s;
    assert_int_equal(looks(&f->me, true), 0);
    now = 1;
    assert_int_equal(looks(&f->me, true), 1);
    now = 2;
    assert_int_equal(backup_sets_now(&f->me, NULL, false, &s), 0);
    backup_sets_opened(s);
    assert_int_equal(looks(&f->me, true), 1); /* it is being copied */
    later(f, 10000);
    assert_int_equal(looks(&f->me, false), 1);
    backup_sets_closed(s);
    backup_sets_unref(s);
    later(f, 10599);
    assert_int_equal(looks(&f->me, false), 1);
    assert_int_equal(looks(&f->me, true), 2);
}

static void test_by_time(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(looks_for(&f->me, 1), -1);
    assert_int_equal(looks_for(&f->me, 0), 0);
    now = 1;
    for (int64_t t = 0; t < 1000; t += 59) { /* a job whose processes go on with it */
        later(f, t);
        assert_int_equal(looks_for(&f->parent, 0), 0);
    }
    assert_int_equal(looks(&f->me, true), 1);
    assert_int_equal(looks_for(&f->me, 0), 0);
    later(f, 3000); /* nobody did */
    assert_int_equal(looks_for(&f->me, 0), -1);
    assert_int_equal(looks_for(&f->parent, 1), 1);
}

/* In one second, two states have the same names. */
static void test_same_second(void **state)
{
    struct fixture *f = *state;
    captures[1]->c.record.created_ns = FIRST_NS + 1;
    assert_int_equal(looks(&f->me, true), 0);
    now = 1;
    assert_int_equal(looks(&f->parent, true), 1);
    assert_int_equal(looks_for(&f->me, 0), 0);
    assert_int_equal(looks_for(&f->parent, 0), 1);
}

/* A process in another pid namespace has no number here: it would share what another one has seen. */
static void test_unseen_process(void **state)
{
    struct fixture *f = *state;
    f->mine.pid = 0;
    assert_int_equal(looks(&f->me, true), 0);
    now = 1;
    assert_int_equal(looks(&f->me, false), 1);
    assert_int_equal(looks_for(&f->me, 0), 0);
}

static void test_sets(void **state)
{
    struct fixture *f = *state;
    struct backup_sets *s;
    struct madeset *all, *one, *legacy, *none;
    struct backup_read done = {0};
    uint64_t size, bytes = 0;
    assert_int_equal(backup_sets_now(&f->me, NULL, true, &s), 0);
    assert_int_equal(backup_sets_get(&f->me, s, MADESET_PORTABLE, NULL, &all), 0);
    assert_int_equal(backup_sets_get(&f->me, s, MADESET_PORTABLE, "db", &one), 0);
    assert_int_equal(backup_sets_get(&f->me, s, MADESET_LEGACY, NULL, &legacy), 0);
    assert_int_equal(backup_sets_get(&f->me, s, MADESET_PORTABLE, "nodb", &none), -ENOENT);
    assert_int_equal(failures, 0);
    assert_true(all != one && all != legacy);
    assert_int_equal(backup_sets_get(&f->me, s, MADESET_PORTABLE, NULL, &none), 0);
    assert_ptr_equal(none, all);
    assert_int_equal(madeset_count(all), 3);
    assert_int_equal(madeset_count(legacy), 2);
    for (size_t i = 0; i < madeset_count(all); i++) {
        struct err e = {0};
        assert_int_equal(madeset_size(all, i, NULL, &size, &e), 0);
        bytes += size;
        assert_int_equal(backup_sets_was_read(s, all, i, &done), i == 2);
        assert_false(backup_sets_was_read(s, all, i, &done));
        assert_false(backup_sets_was_read(s, one, i, &done)); /* no backup of the store */
    }
    assert_int_equal(done.bytes, bytes);
    backup_sets_unref(s);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_process),     TEST(test_listing),        TEST(test_by_time),
        TEST(test_same_second), TEST(test_unseen_process), TEST(test_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
