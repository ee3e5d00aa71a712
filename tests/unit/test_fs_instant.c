/* SPDX-License-Identifier: MIT */
/* instant: who sees which capture, and for how long, by a clock that need not be waited for. */
#include "fs/instant.h"
#include "store/base/time.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STATES 8
#define THREADS 8

/* A store: each of its states is a tarball, as far as instants know. */
struct store {
    pthread_mutex_t lock;
    char states[STATES];
    int refs[STATES];
    int now, taken;
    int fails;
};

struct fixture {
    struct store store;
    struct instants *s;
    struct instant_holder me, parent;
};

static int take(void *ctx, const struct tarball_reader *reader, struct tarball **out, struct err *e)
{
    struct store *st = ctx;
    (void)reader;
    if (st->fails)
        return err_set(e, st->fails, "no capture");
    pthread_mutex_lock(&st->lock);
    st->taken++;
    st->refs[st->now]++;
    *out = (struct tarball *)&st->states[st->now];
    pthread_mutex_unlock(&st->lock);
    return 0;
}

static void put(void *ctx, struct tarball *t)
{
    struct store *st = ctx;
    pthread_mutex_lock(&st->lock);
    st->refs[(char *)t - st->states]--;
    pthread_mutex_unlock(&st->lock);
}

static void at(int64_t seconds)
{
    time_shift(0, seconds * SECOND_NS);
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.store.lock = PTHREAD_MUTEX_INITIALIZER};
    f.s = instants_new(&(struct instant_source){take, put, &f.store});
    f.me.process = caller_of(getpid());
    f.parent.process = caller_of(getppid());
    at(0);
    *state = &f;
    return !f.s;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    instants_free(f->s);
    for (int i = 0; i < STATES; i++)
        assert_int_equal(f->store.refs[i], 0);
    at(0);
    return 0;
}

static uint64_t look(struct fixture *f, const struct instant_holder *who)
{
    struct instant *i;
    struct err e = {0};
    assert_int_equal(instant_get(f->s, who, NULL, &i, &e), 0);
    uint64_t id = instant_id(i);
    instant_put(i);
    return id;
}

static void test_process_keeps_it_for_a_minute(void **state)
{
    struct fixture *f = *state;
    uint64_t first = look(f, &f->me);
    f->store.now = 1;
    at(59);
    instants_expire(f->s);
    assert_int_equal(look(f, &f->me), first);
    assert_int_equal(f->store.taken, 1);
    at(61);
    assert_true(look(f, &f->me) != first); /* expired or not */
    instants_expire(f->s);
    assert_int_equal(f->store.refs[0], 0);
    assert_int_equal(instants_count(f->s), 1);
    at(200);
    instants_expire(f->s);
    assert_int_equal(instants_count(f->s), 0);
}

static void test_open_keeps_it_and_ten_seconds_more(void **state)
{
    struct fixture *f = *state;
    struct instant_hold *h;
    uint64_t id = look(f, &f->me);
    f->store.now = 1;
    assert_int_equal(instant_open(f->s, &f->me, id, &h), 0);
    assert_ptr_equal(instant_tarball(instant_held(h)), &f->store.states[0]);
    at(300);
    instants_expire(f->s);
    assert_int_equal(look(f, &f->me), id);
    instant_close(h);
    at(309);
    instants_expire(f->s);
    assert_int_equal(look(f, &f->me), id);
    at(311);
    instants_expire(f->s);
    assert_int_equal(instant_open(f->s, &f->me, id, &h), -ESTALE);
    assert_true(look(f, &f->me) != id);
}

static void test_another_process_sees_the_store_as_it_is(void **state)
{
    struct fixture *f = *state;
    uint64_t mine = look(f, &f->me);
    assert_int_equal(look(f, &f->parent), mine); /* nothing has changed */
    assert_int_equal(instants_count(f->s), 1);
    at(20);
    f->store.now = 1;
    assert_int_equal(look(f, &f->parent), mine); /* it has one */
    at(61);
    uint64_t theirs = look(f, &f->parent);
    assert_true(theirs != mine);
    struct instant_hold *h;
    assert_int_equal(instant_open(f->s, &f->me, theirs, &h), 0); /* passed on */
    instant_close(h);
}

static void test_callers_that_look_alike_share_two_seconds(void **state)
{
    struct fixture *f = *state;
    const struct instant_holder nobody = {0};
    uint64_t first = look(f, &nobody);
    f->store.now = 1;
    at(1);
    assert_int_equal(look(f, &nobody), first);
    at(3);
    uint64_t second = look(f, &nobody);
    assert_true(second != first);
    struct instant_hold *h; /* whoever looked before may still open what he saw */
    assert_int_equal(instant_open(f->s, &nobody, first, &h), 0);
    at(4);
    assert_int_equal(look(f, &nobody), second);
    instant_close(h);
}

static void test_ended_process_holds_nothing(void **state)
{
    struct fixture *f = *state;
    const struct instant_holder ended = {.process = {.pid = 1 << 30, .start = 1}};
    look(f, &ended);
    instants_expire(f->s);
    assert_int_equal(f->store.refs[0], 1); /* the newest one serves whoever comes */
    f->store.now = 1;
    look(f, &f->me);
    assert_int_equal(f->store.refs[0], 0);
}

/* One that looked while it ran, and has ended since. */
static void test_process_that_ends(void **state)
{
    struct fixture *f = *state;
    const pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    const struct instant_holder other = {.process = caller_of(child)};
    look(f, &other);
    f->store.now = 1;
    look(f, &f->me);
    assert_int_equal(f->store.refs[0], 1);
    kill(child, SIGKILL);
    siginfo_t ended;
    assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
    instants_expire(f->s);
    assert_int_equal(f->store.refs[0], 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    const struct instant_holder job = {.name = "job.tar"}, other = {.name = "other.tar"};
    uint64_t id = look(f, &job);
    f->store.now = 1;
    at(300);
    instants_expire(f->s);
    instants_restored(f->s);
    assert_int_equal(look(f, &job), id);
    assert_true(look(f, &other) != id);
    struct instant_hold *h;
    assert_int_equal(instant_open(f->s, &other, id, &h), -ESTALE); /* it is not that name's */
    assert_int_equal(instant_open(f->s, &job, id, &h), 0);
    at(700);
    instant_close(h);
    at(1299);
    instants_expire(f->s);
    assert_int_equal(look(f, &job), id);
    at(1301);
    assert_true(look(f, &job) != id);
}

static int count_name(void *ctx, const char *name)
{
    size_t *n = ctx;
    (*n)++;
    return strcmp(name, "stop.tar") == 0 ? -ENOMEM : 0;
}

static void test_too_many_names(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct instant *i;
    char name[32];
    size_t n = 0;
    for (int k = 0; k < INSTANT_NAMES; k++) {
        snprintf(name, sizeof(name), "%d.tar", k);
        look(f, &(struct instant_holder){.name = name});
    }
    int taken = f->store.taken;
    const struct instant_holder more = {.name = "more.tar"};
    assert_int_equal(instant_get(f->s, &more, NULL, &i, &e), -EAGAIN);
    assert_non_null(strstr(e.text, "too many names"));
    assert_int_equal(f->store.taken, taken);
    look(f, &(struct instant_holder){.name = "0.tar"});
    look(f, &f->me);
    assert_int_equal(instants_names(f->s, count_name, &n), 0);
    assert_int_equal(n, INSTANT_NAMES);
    at(601);
    n = 0;
    assert_int_equal(instants_names(f->s, count_name, &n), 0);
    assert_int_equal(n, 0);
    instants_expire(f->s);
    look(f, &(struct instant_holder){.name = "stop.tar"});
    assert_int_equal(instants_names(f->s, count_name, &n), -ENOMEM);
}

static void test_restore_gives_another_to_who_has_nothing_open(void **state)
{
    struct fixture *f = *state;
    struct instant_hold *h;
    uint64_t id = look(f, &f->me);
    look(f, &f->parent);
    assert_int_equal(instant_open(f->s, &f->me, id, &h), 0);
    f->store.now = 1;
    instants_restored(f->s);
    assert_int_equal(look(f, &f->me), id);
    assert_true(look(f, &f->parent) != id);
    instant_close(h);
}

static void test_failure_is_the_sources(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct instant *i;
    f->store.fails = -EAGAIN;
    assert_int_equal(instant_get(f->s, &f->me, NULL, &i, &e), -EAGAIN);
    assert_string_equal(e.text, "no capture");
    assert_int_equal(instants_count(f->s), 0);
}

static void *look_and_open(void *arg)
{
    struct fixture *f = arg;
    struct instant_hold *h;
    for (int i = 0; i < 500; i++) {
        uint64_t id = look(f, &f->me);
        assert_int_equal(instant_open(f->s, &f->me, id, &h), 0);
        instant_close(h);
        instants_expire(f->s);
    }
    return (void *)(uintptr_t)look(f, &f->me);
}

/* Threads of one process that come first at the same time agree. */
static void test_threads_agree(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    void *id[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_and_open, f), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], &id[i]);
    for (int i = 0; i < THREADS; i++)
        assert_ptr_equal(id[i], id[0]);
    assert_int_equal(instants_count(f->s), 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_process_keeps_it_for_a_minute),
        TEST(test_open_keeps_it_and_ten_seconds_more),
        TEST(test_another_process_sees_the_store_as_it_is),
        TEST(test_callers_that_look_alike_share_two_seconds),
        TEST(test_ended_process_holds_nothing),
        TEST(test_process_that_ends),
        TEST(test_names),
        TEST(test_too_many_names),
        TEST(test_restore_gives_another_to_who_has_nothing_open),
        TEST(test_failure_is_the_sources),
        TEST(test_threads_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
