/* SPDX-License-Identifier: MIT */
/* worker, lock: a thread that works for others, and waits that end. */
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/base/worker.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Far beyond what any of it takes: only a hang reaches it. */
static int64_t patience(void)
{
    return time_mono_ns() + 60 * SECOND_NS;
}

struct counter {
    struct worker *worker;
    unsigned asked, done;
};

/* Uses the worker by the field that worker_start sets. */
static int64_t count_step(struct worker *w, void *arg)
{
    struct counter *c = arg;
    worker_assert_locked(w);
    if (c->asked == c->done)
        return WORKER_SLEEP;
    worker_unlock(c->worker);
    worker_lock(c->worker);
    c->done++;
    worker_wake(w);
    return WORKER_GO_ON;
}

static void test_work_is_done(void **arg)
{
    (void)arg;
    struct counter c = {0};
    assert_int_equal(worker_start(count_step, &c, &c.worker), 0);
    for (unsigned i = 1; i <= 1000; i++) {
        worker_lock(c.worker);
        c.asked += i % 3;
        worker_wake(c.worker);
        while (i % 7 == 0 && c.done != c.asked)
            worker_wait(c.worker);
        worker_unlock(c.worker);
    }
    worker_lock(c.worker);
    bool in_time = true;
    while (c.done != c.asked && in_time)
        in_time = worker_wait_until(c.worker, patience());
    worker_unlock(c.worker);
    worker_stop(c.worker);
    assert_int_equal(c.done, 1000);
    worker_stop(NULL);
}

/* Each millisecond, without being woken. */
static int64_t tick_step(struct worker *w, void *arg)
{
    struct counter *c = arg;
    c->done++;
    worker_wake(w);
    return time_mono_ns() + MILLISECOND_NS;
}

static void test_step_is_called_in_time(void **arg)
{
    (void)arg;
    struct counter c = {0};
    time_shift(0, 1000 * SECOND_NS);
    assert_int_equal(worker_start(tick_step, &c, &c.worker), 0);
    worker_lock(c.worker);
    bool in_time = true;
    while (c.done < 5 && in_time)
        in_time = worker_wait_until(c.worker, patience());
    worker_unlock(c.worker);
    worker_stop(c.worker);
    time_shift(0, 0);
    assert_true(in_time);
}

struct hanging {
    struct worker *worker;
    sem_t begun, end, ended;
    bool seen;
};

static int64_t hang_step(struct worker *w, void *arg)
{
    struct hanging *h = arg;
    worker_unlock(w);
    sem_post(&h->begun);
    sem_wait(&h->end);
    h->seen = worker_is_stopping(w);
    sem_post(&h->ended);
    worker_lock(w);
    return WORKER_SLEEP;
}

/* What hangs is left alone, until it ends by itself. */
static void test_a_hanging_step(void **arg)
{
    (void)arg;
    static struct hanging h; /* as is said of it, it is never freed; nor is the worker */
    sem_init(&h.begun, 0, 0);
    sem_init(&h.end, 0, 0);
    sem_init(&h.ended, 0, 0);
    assert_int_equal(worker_start(hang_step, &h, &h.worker), 0);
    sem_wait(&h.begun);
    assert_false(worker_is_stopping(h.worker));
    assert_false(worker_stop_until(h.worker, time_mono_ns() + 10 * MILLISECOND_NS));
    sem_post(&h.end);
    sem_wait(&h.ended);
    assert_true(h.seen);
}

static int64_t end_step(struct worker *w, void *arg)
{
    ++*(unsigned *)arg;
    worker_wake(w);
    return WORKER_END;
}

/* A thread that ends by itself takes no further step, and leaves its worker to be stopped. */
static void test_a_step_that_ends(void **arg)
{
    (void)arg;
    unsigned steps = 0;
    struct worker *w;
    assert_int_equal(worker_start(end_step, &steps, &w), 0);
    worker_lock(w);
    while (steps == 0)
        worker_wait(w);
    worker_wake(w);
    worker_unlock(w);
    usleep(1000);
    worker_stop(w);
    assert_int_equal(steps, 1);
}

static void test_deadline_passes(void **arg)
{
    (void)arg;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t c;
    cond_init(&c);
    for (int64_t shift = -DAY_NS; shift <= DAY_NS; shift += DAY_NS) {
        time_shift(0, shift);
        int64_t until = time_mono_ns() + 20 * MILLISECOND_NS;
        pthread_mutex_lock(&lock);
        while (cond_wait_until(&c, &lock, until))
            ;
        assert_locked(&lock);
        pthread_mutex_unlock(&lock);
        assert_in_range(time_mono_ns() - until, 0, 60 * SECOND_NS);
    }
    time_shift(0, 0);
    pthread_cond_destroy(&c);
}

static bool interrupt_third(void *arg)
{
    int *asked = arg;
    return ++*asked == 3;
}

static void test_lock_unless_interrupted(void **arg)
{
    (void)arg;
    int asked = 0;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    assert_int_equal(lock_unless(&lock, interrupt_third, &asked), 0);
    assert_int_equal(asked, 0);
    assert_int_equal(lock_unless(&lock, interrupt_third, &asked), -EINTR);
    assert_int_equal(asked, 3);
    pthread_mutex_unlock(&lock);
    assert_int_equal(lock_unless(&lock, NULL, NULL), 0);
    pthread_mutex_unlock(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_is_done),    cmocka_unit_test(test_step_is_called_in_time),
        cmocka_unit_test(test_a_hanging_step),  cmocka_unit_test(test_a_step_that_ends),
        cmocka_unit_test(test_deadline_passes), cmocka_unit_test(test_lock_unless_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
