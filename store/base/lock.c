/* SPDX-License-Identifier: MIT */
#include "store/base/lock.h"

#include "store/base/time.h"

#define ASK_NS (50 * MILLISECOND_NS)

void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(c, &mono);
    pthread_condattr_destroy(&mono);
}

/* The system's clock is not shifted. */
static struct timespec system_time(int64_t mono_ns)
{
    int64_t ns = mono_ns - time_mono_shift();
    return time_to_spec(ns > 0 ? ns : 0);
}

bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t deadline_ns)
{
    const struct timespec t = system_time(deadline_ns);
    return pthread_cond_timedwait(c, lock, &t) != ETIMEDOUT;
}

/* The ThreadSanitizer of gcc 12 does not see that pthread_mutex_clocklock locks. */
static int lock_until(pthread_mutex_t *lock, int64_t deadline_ns)
{
#ifdef __SANITIZE_THREAD__
    const struct timespec t = time_to_spec(deadline_ns - time_mono_ns() + time_wall_ns());
    return pthread_mutex_timedlock(lock, &t);
#else
    const struct timespec t = system_time(deadline_ns);
    return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &t);
#endif
}

int lock_unless(pthread_mutex_t *lock, bool (*interrupted)(void *arg), void *arg)
{
    for (;;) {
        int r = lock_until(lock, time_mono_ns() + ASK_NS);
        if (r != ETIMEDOUT)
            return -r;
        if (interrupted && interrupted(arg))
            return -EINTR;
    }
}
