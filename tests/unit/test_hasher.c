/* SPDX-License-Identifier: MIT */
/* hasher: sums of several files at once where processors are idle, of exactly the bytes that were
 * captured; and files that fail, and jobs that end meanwhile. */
#include "store/base/processors.h"
#include "store/snapshot/hasher.h"
#include "store/snapshot/hashing.h"
#include "tests/unit/counted_capture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

/* Stand in for the machine's. */
static atomic_uint allowed;
static atomic_int spare;

unsigned processors_allowed(void)
{
    return allowed;
}

int processors_spare(void)
{
    return spare;
}

struct hashed {
    struct hasher *hasher;
    struct counted *k;
    struct hash_job *job;
};

static struct hashed begin(unsigned processors, int idle, struct counted *k)
{
    struct hashed x = {.k = k};
    allowed = processors;
    spare = idle;
    assert_int_equal(hasher_new(&x.hasher), 0);
    assert_int_equal(hash_job_new(x.hasher, &k->c, &x.job), 0);
    return x;
}

static void end(struct hashed *x)
{
    assert_false(x->k->late);
    hash_job_free(x->job);
    hasher_free(x->hasher);
    capture_unref(&x->k->c);
}

static void wait_for_all(struct hashed *x)
{
    struct err e = {0};
    assert_int_equal(hash_job_wait(x->job, 0, x->k->c.n, NULL, NULL, &e), 0);
    for (size_t i = 0; i < x->k->c.n; i++)
        if (!counted_is_right(x->k, i))
            fail_msg("the sum of member %zu", i);
    while (!hash_job_idle(x->job)) /* soon: the thread that has found the last one goes on */
        usleep(1000);
}

static const uint64_t odd[] = {
    0,
    1,
    63,
    64,
    65,
    511,
    HASHING_PIECE - 1,
    HASHING_PIECE,
    HASHING_PIECE + 1,
    3 * HASHING_PIECE,
    3 * HASHING_PIECE + 7,
    100001,
};
#define ODD (sizeof(odd) / sizeof(odd[0]))

static void sums_are_right(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= HASHER_THREADS + 1; threads++) {
        struct hashed x = begin(threads, 1, counted_new(3 * ODD, odd, ODD));
        wait_for_all(&x);
        assert_true(x.k->kept >= 1);
        end(&x);
    }
}

/* Each reading of a file waits until there are as many threads at it as may be. */
static void several_files_at_once(void **state)
{
    (void)state;
    for (unsigned threads = 2; threads <= HASHER_THREADS; threads++) {
        struct counted *k = counted_new(64, (const uint64_t[]){100000}, 1);
        k->gate = threads;
        struct hashed x = begin(threads, 1, k);
        wait_for_all(&x);
        assert_int_equal(k->most, threads);
        end(&x);
    }
}

static void never_more_than_allowed(void **state)
{
    (void)state;
    struct hashed x = begin(100, 100, counted_new(200, (const uint64_t[]){300000}, 1));
    wait_for_all(&x);
    assert_in_range(x.k->most, 1, HASHER_THREADS);
    end(&x);
    x = begin(1, 100, counted_new(200, (const uint64_t[]){300000}, 1));
    wait_for_all(&x);
    assert_int_equal(x.k->most, 1);
    end(&x);
}

/* Where no processor is idle one thread hashes; and one goes on when others want them. */
static void others_come_first(void **state)
{
    (void)state;
    for (int idle = -1; idle <= 0; idle++) {
        struct hashed x = begin(4, idle, counted_new(300, (const uint64_t[]){100000}, 1));
        wait_for_all(&x);
        assert_int_equal(x.k->most, 1);
        end(&x);
    }
    struct counted *k = counted_new(500, (const uint64_t[]){2 * HASHING_PIECE}, 1);
    k->held =
        0; /* and so are all who come: the first stays, and the others go on until they look */
    struct hashed x = begin(4, 1, k);
    hash_job_follow(x.job, k->c.n, 0);
    assert_true(counted_come(k, 2));
    spare = -3;
    counted_hold(k, SIZE_MAX);
    wait_for_all(&x);
    end(&x);
}

/* Only what a reader has read is hashed, whatever is idle. */
static void nobody_runs_ahead(void **state)
{
    (void)state;
    struct hashed x = begin(4, 1, counted_new(40, (const uint64_t[]){MIB + 5}, 1));
    const int64_t deadline = time_mono_ns() + COUNTED_WAIT_NS;
    hash_job_follow(x.job, 20, 700000);
    while (!counted_is_right(x.k, 19) || counted_bytes(x.k, 20) < 700000) {
        assert_true(time_mono_ns() < deadline);
        usleep(1000);
    }
    usleep(20000);
    assert_int_equal(counted_bytes(x.k, 20), 700000);
    assert_int_equal(counted_bytes(x.k, 21), 0);
    assert_false(hash_job_idle(x.job));
    /* Who has read less says nothing new. */
    hash_job_follow(x.job, 3, 0);
    wait_for_all(&x);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(x.k->read[i], MIB + 5);
    end(&x);
}

/* The first file that fails is named, even if a later one has failed before it; what comes before it
 * is hashed. */
static void a_file_that_fails(void **state)
{
    (void)state;
    struct err e = {0};
    struct counted *k = counted_new(60, (const uint64_t[]){100000}, 1);
    k->fails[21] = k->fails[23] = k->fails[50] = true;
    k->held = 21;
    struct hashed x = begin(4, 1, k);
    hash_job_follow(x.job, k->c.n, 0);
    assert_true(counted_come(k, 2));
    assert_int_equal(hash_job_wait(x.job, 0, 21, NULL, NULL, &e), 0);
    for (size_t i = 0; i < 21; i++)
        assert_true(counted_is_right(k, i));
    counted_hold(k, SIZE_MAX);
    assert_int_equal(hash_job_wait(x.job, 0, 60, NULL, NULL, &e), -EIO);
    assert_string_equal(e.text, "data/db/rp/1/file21: it fails");
    assert_int_equal(hash_job_wait(x.job, 50, 60, NULL, NULL, &e), -EIO);
    assert_string_equal(e.text, "data/db/rp/1/file21: it fails");
    assert_int_equal(hash_job_wait(x.job, 2, 21, NULL, NULL, &e), 0);
    assert_false(hash_job_idle(x.job));
    assert_false(k->have[21]);
    assert_int_equal(k->read[59], 0);
    end(&x);
}

static bool count_down(void *ctx)
{
    int *left = ctx;
    return --*left < 0;
}

static void a_waiter_is_interrupted(void **state)
{
    (void)state;
    struct err e = {0};
    int left = 2;
    struct counted *k = counted_new(10, (const uint64_t[]){100000}, 1);
    k->held = 4;
    struct hashed x = begin(2, 1, k);
    assert_int_equal(hash_job_wait(x.job, 0, 10, count_down, &left, &e), -EINTR);
    counted_hold(k, SIZE_MAX);
    wait_for_all(&x);
    end(&x);
}

static void *let_go_soon(void *arg)
{
    usleep(50000);
    counted_hold(arg, SIZE_MAX);
    return NULL;
}

/* A job that is freed while threads are at its files waits for these, and no other file is begun. */
static void a_job_ends_meanwhile(void **state)
{
    (void)state;
    pthread_t thread;
    struct counted *k = counted_new(100, (const uint64_t[]){100000}, 1);
    k->held = 30;
    struct hashed x = begin(4, 1, k);
    hash_job_follow(x.job, 31, 0);
    const int64_t deadline = time_mono_ns() + COUNTED_WAIT_NS;
    for (bool inside = false; !inside;) {
        assert_true(time_mono_ns() < deadline);
        usleep(1000);
        pthread_mutex_lock(&k->lock);
        inside = k->inside == 1 && k->have[29] && k->have[28] && k->have[27];
        pthread_mutex_unlock(&k->lock);
    }
    pthread_create(&thread, NULL, let_go_soon, k);
    hash_job_free(x.job);
    assert_int_equal(k->inside, 0);
    assert_int_equal(k->read[31], 0);
    pthread_join(thread, NULL);
    /* The threads serve another job of the same capture. */
    assert_int_equal(hash_job_new(x.hasher, &k->c, &x.job), 0);
    wait_for_all(&x);
    end(&x);
}

/* Who waits for sums has the disk busy: the kernel is told of what comes next, each byte once, and
 * not of too much. Who follows a reader has it in memory. */
static void the_kernel_is_told(void **state)
{
    (void)state;
    struct counted *k = counted_new(400, (const uint64_t[]){30 * MIB, 100000}, 2);
    k->have[100] = true;
    struct hashed x = begin(2, 1, k);
    struct err e = {0};
    assert_int_equal(hash_job_wait(x.job, 0, 400, NULL, NULL, &e), 0);
    for (size_t i = 1; i < 400; i++)
        assert_true(k->advised[i] <= (i == 100 ? 0 : 100000));
    assert_int_equal(k->advised[399], 100000);
    assert_in_range(k->far, 4 * MIB, 9 * MIB);
    end(&x);
    k = counted_new(100, (const uint64_t[]){100000}, 1);
    x = begin(2, 1, k);
    hash_job_follow(x.job, 99, 0);
    const int64_t deadline = time_mono_ns() + COUNTED_WAIT_NS;
    while (!counted_is_right(k, 98)) {
        assert_true(time_mono_ns() < deadline);
        usleep(1000);
    }
    assert_int_equal(k->last_advised, 0);
    assert_int_equal(k->advised[0], 0);
    end(&x);
}

struct user {
    struct hasher *hasher;
    struct counted *k;
    unsigned seed;
    const char *wrong;
};

/* Follows, waits, and gives up, at random. */
static void *use(void *arg)
{
    struct user *u = arg;
    struct err e = {0};
    for (int round = 0; round < 12 && !u->wrong; round++) {
        struct hash_job *j;
        int left = rand_r(&u->seed) % 3;
        if (hash_job_new(u->hasher, &u->k->c, &j) < 0) {
            u->wrong = "no job";
            break;
        }
        hash_job_follow(j, (size_t)rand_r(&u->seed) % 80, (uint64_t)rand_r(&u->seed) % 100000);
        spare = rand_r(&u->seed) % 5 - 2;
        const size_t first = (size_t)rand_r(&u->seed) % 50;
        int r = hash_job_wait(j, first, first + 20, left ? NULL : count_down, &left, &e);
        for (size_t i = first; r == 0 && i < first + 20; i++)
            if (!counted_is_right(u->k, i))
                u->wrong = "a sum";
        if (r < 0 && r != -EINTR)
            u->wrong = "an error";
        hash_job_free(j);
    }
    return NULL;
}

static void many_jobs(void **state)
{
    (void)state;
    enum { USERS = 6 };
    struct user users[USERS];
    pthread_t threads[USERS];
    struct hasher *h;
    allowed = 4;
    spare = 1;
    assert_int_equal(hasher_new(&h), 0);
    for (unsigned i = 0; i < USERS; i++) {
        users[i] = (struct user){h, counted_new(80, odd, ODD), i, NULL};
        if (i % 2) { /* of the same capture as the one before */
            capture_unref(&users[i].k->c);
            users[i].k = users[i - 1].k;
        }
    }
    for (unsigned i = 0; i < USERS; i++)
        pthread_create(&threads[i], NULL, use, &users[i]);
    for (unsigned i = 0; i < USERS; i++)
        pthread_join(threads[i], NULL);
    hasher_free(h);
    for (unsigned i = 0; i < USERS; i++) {
        if (users[i].wrong)
            fail_msg("user %u: %s", i, users[i].wrong);
        if (i % 2 == 0)
            capture_unref(&users[i].k->c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_right),          cmocka_unit_test(several_files_at_once),
        cmocka_unit_test(never_more_than_allowed), cmocka_unit_test(others_come_first),
        cmocka_unit_test(nobody_runs_ahead),       cmocka_unit_test(a_file_that_fails),
        cmocka_unit_test(a_waiter_is_interrupted), cmocka_unit_test(a_job_ends_meanwhile),
        cmocka_unit_test(the_kernel_is_told),      cmocka_unit_test(many_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
