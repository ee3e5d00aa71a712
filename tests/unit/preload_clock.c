/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD: a process whose clocks are not those of the system.
 *
 *   CLOCK_SHIFT  the wall clock is so many seconds ahead (or behind, if negative)
 *   CLOCK_AHEAD  a file of 8 bytes: the monotonic clock is as many nanoseconds ahead as the number in
 *                it (in this machine's order of bytes), which may only grow. A wait that has begun
 *                ends when it would have; all others until a time of this clock are as long as they
 *                look.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static const _Atomic int64_t *ahead; /* NULL: never */

__attribute__((constructor)) static void map_ahead(void)
{
    const char *name = getenv("CLOCK_AHEAD");
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);
    ahead = p == MAP_FAILED ? NULL : p;
    close(fd);
}

static struct timespec moved(const struct timespec *t, int64_t ns)
{
    int64_t sum = (int64_t)t->tv_sec * SECOND_NS + t->tv_nsec + ns;
    sum = sum < 0 ? 0 : sum;
    return (struct timespec){sum / SECOND_NS, sum % SECOND_NS};
}

/* The time of the system's clock at which that clock of ours shows t. */
static struct timespec system_time(clockid_t clock, const struct timespec *t)
{
    return moved(t, clock == CLOCK_MONOTONIC && ahead ? -atomic_load(ahead) : 0);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    const char *shift = getenv("CLOCK_SHIFT");
    long r = syscall(SYS_clock_gettime, clock, out);
    if (r == 0 && clock == CLOCK_REALTIME && shift)
        out->tv_sec += atoll(shift);
    if (r == 0 && clock == CLOCK_MONOTONIC && ahead)
        *out = moved(out, atomic_load(ahead));
    return (int)r;
}

int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict until)
{
    const struct timespec t = system_time(clock, until);
    return NEXT(sem_clockwait)(sem, clock, &t);
}

int pthread_mutex_clocklock(pthread_mutex_t *restrict lock, clockid_t clock,
                            const struct timespec *restrict until)
{
    const struct timespec t = system_time(clock, until);
    return NEXT(pthread_mutex_clocklock)(lock, clock, &t);
}

/* What waits on a condition here does so by the monotonic clock (store/base/lock.h). */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict lock,
                           const struct timespec *restrict until)
{
    const struct timespec t = system_time(CLOCK_MONOTONIC, until);
    return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &t);
}
