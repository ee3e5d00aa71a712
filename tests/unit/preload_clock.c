/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD: a process whose wall clock is CLOCK_SHIFT seconds ahead (or behind, if negative). */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *out)
{
    const char *shift = getenv("CLOCK_SHIFT");
    long r = syscall(SYS_clock_gettime, clock, out);
    if (r == 0 && clock == CLOCK_REALTIME && shift)
        out->tv_sec += atoll(shift);
    return (int)r;
}
