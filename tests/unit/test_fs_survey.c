/* SPDX-License-Identifier: MIT */
/* survey: one look serves many, and nobody is held by a disk that does not answer. The walk and the
 * search for an influxd are stand-ins. */
#include "fs/survey.h"
#include "store/base/time.h"
#include "store/influx/running.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_int looks;     /* that have begun */
static atomic_bool hangs;    /* the disk */
static atomic_bool absent;   /* the store */
static atomic_int use;       /* what running_uses gives */
static atomic_int asks;      /* whether the reader was interrupted */
static int interrupted_from; /* so many of them are not */

int contents_look(const struct store_paths *p, bool (*stopped)(void *arg), void *arg,
                  struct report_contents *out)
{
    assert_string_equal(p->data, "data");
    *out =
        (struct report_contents){.known = true, .missing = absent, .meta_bytes = (uint64_t)++looks};
    while (hangs)
        if (stopped(arg))
            return -EINTR;
        else
            usleep(1000);
    return 0;
}

void contents_demand(struct report_contents *c, const struct store_paths *p)
{
    (void)p;
    c->known &= !c->missing;
}

int contents_copy(const struct report_contents *from, struct report_contents *to)
{
    *to = *from;
    return 0;
}

void contents_clear(struct report_contents *c)
{
    *c = (struct report_contents){0};
}

int running_uses(const struct store_paths *p, struct err *e)
{
    (void)p;
    return use ? err_set(e, use, "influxd, process 7") : 0;
}

static bool interrupted(void *arg)
{
    (void)arg;
    return ++asks > interrupted_from;
}

static int setup(void **state)
{
    static char meta[] = "meta", data[] = "data", wal[] = "wal";
    const struct store_paths paths = {.meta = meta, .data = data, .wal = wal};
    looks = asks = use = 0;
    hangs = absent = false;
    interrupted_from = 1 << 20;
    return survey_new(&paths, (struct survey **)state);
}

static int teardown(void **state)
{
    survey_free(*state);
    time_shift(0, 0);
    return 0;
}

static struct report get(struct survey *s)
{
    struct report r = {0};
    assert_int_equal(survey_get(s, interrupted, NULL, &r), 0);
    return r;
}

static void one_look_serves_many(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct report r = get(*state);
        assert_true(r.contents.known);
        assert_int_equal(r.contents.meta_bytes, 1);
        assert_int_equal(r.use, REPORT_UNUSED);
    }
    time_shift(0, 6 * SECOND_NS);
    use = -EBUSY;
    struct report r = get(*state);
    assert_int_equal(r.contents.meta_bytes, 2);
    assert_int_equal(r.use, REPORT_IN_USE);
    assert_string_equal(r.in_use.text, "influxd, process 7");
    time_shift(0, 12 * SECOND_NS);
    use = -EACCES;
    assert_int_equal(get(*state).use, REPORT_USE_UNKNOWN);
}

/* A store that is still to be restored holds nothing; one that was there must not vanish. */
static void a_store_that_goes(void **state)
{
    absent = true;
    assert_true(get(*state).contents.known);
    absent = false;
    time_shift(0, 6 * SECOND_NS);
    assert_true(get(*state).contents.known);
    absent = true;
    time_shift(0, 12 * SECOND_NS);
    assert_false(get(*state).contents.known);
}

static void a_disk_that_hangs(void **state)
{
    hangs = true;
    int64_t began = time_mono_ns();
    struct report r = get(*state);
    assert_true(time_mono_ns() - began >= 2 * SECOND_NS);
    assert_false(r.contents.known);
    assert_non_null(strstr(r.contents.unknown.text, "has not answered"));
    assert_int_equal(r.use, REPORT_USE_UNKNOWN);
    assert_string_not_equal(r.in_use.text, "");
    hangs = false;
    while (!(r = get(*state)).contents.known)
        ;
    const uint64_t seen = r.contents.meta_bytes;
    hangs = true;
    time_shift(0, 6 * SECOND_NS);
    r = get(*state); /* as it was seen last */
    assert_true(r.contents.known);
    assert_int_equal(r.contents.meta_bytes, seen);
    assert_true((uint64_t)looks > seen);
}

static void an_interrupted_reader(void **state)
{
    struct report r = {0};
    hangs = true;
    interrupted_from = 1;
    assert_int_equal(survey_get(*state, interrupted, NULL, &r), -EINTR);
    assert_int_equal(asks, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_look_serves_many, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_hangs, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interrupted_reader, setup, teardown),
    };
    return cmocka_run_group_tests_name("fs_survey", tests, NULL, NULL);
}
