/* SPDX-License-Identifier: MIT */
#include "store/base/time.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static _Atomic int64_t wall_shift, mono_shift;

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return time_from_spec(&t);
}

int64_t time_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME) + atomic_load(&wall_shift);
}

int64_t time_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC) + atomic_load(&mono_shift);
}

void time_shift(int64_t wall_ns, int64_t mono_ns)
{
    atomic_store(&wall_shift, wall_ns);
    atomic_store(&mono_shift, mono_ns);
}

int64_t time_mono_shift(void)
{
    return atomic_load(&mono_shift);
}

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct timespec time_to_spec(int64_t ns)
{
    int64_t s = divide_down(ns, SECOND_NS);
    return (struct timespec){.tv_sec = s,
                             .tv_nsec = (long)(ns % SECOND_NS + SECOND_NS) % SECOND_NS};
}

int64_t time_from_spec(const struct timespec *t)
{
    return (int64_t)t->tv_sec * SECOND_NS + t->tv_nsec;
}

#define YEAR_1_TO_1970 ((__int128)719162 * DAY_NS)

int64_t time_floor(int64_t time, int64_t length)
{
    const __int128 at = time - (time + YEAR_1_TO_1970) % length;
    return at < INT64_MIN ? INT64_MIN : (int64_t)at;
}

int64_t time_ceil(int64_t time, int64_t length)
{
    const __int128 at = time - (time + YEAR_1_TO_1970) % length + length;
    return at > INT64_MAX ? INT64_MAX : (int64_t)at;
}

int32_t time_day(int64_t ns)
{
    return (int32_t)divide_down(ns, DAY_NS);
}

int32_t time_today(void)
{
    const time_t now = time_wall_ns() / SECOND_NS;
    struct tm local;
    tzset();
    localtime_r(&now, &local);
    return (int32_t)(timegm(&local) / (DAY_NS / SECOND_NS));
}

static size_t put(time_t second, const char *format, char out[TIME_TEXT])
{
    struct tm tm;
    gmtime_r(&second, &tm);
    return strftime(out, TIME_TEXT, format, &tm);
}

void time_day_text(int32_t day, char out[TIME_TEXT])
{
    put((time_t)day * (DAY_NS / SECOND_NS), "%Y-%m-%d", out);
}

bool time_read_day(const char *text, int32_t *day)
{
    struct tm date = {0};
    char again[TIME_TEXT];
    if (sscanf(text, "%4d-%2d-%2d", &date.tm_year, &date.tm_mon, &date.tm_mday) != 3)
        return false;
    date.tm_year -= 1900;
    date.tm_mon--;
    *day = (int32_t)(timegm(&date) / (DAY_NS / SECOND_NS));
    time_day_text(*day, again);
    return strcmp(again, text) == 0;
}

void time_text(int64_t ns, char out[TIME_TEXT])
{
    put(divide_down(ns, SECOND_NS), "%Y-%m-%dT%H:%M:%SZ", out);
}

void time_exact_text(int64_t ns, char out[TIME_TEXT])
{
    struct timespec t = time_to_spec(ns);
    size_t n = put(t.tv_sec, "%Y-%m-%dT%H:%M:%S", out);
    snprintf(out + n, TIME_TEXT - n, ".%09ldZ", t.tv_nsec);
}
