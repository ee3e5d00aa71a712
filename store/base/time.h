/* SPDX-License-Identifier: MIT */
/* Times: the clock, units and texts. A time is an int64_t of nanoseconds, since 1970 (wall clock,
 * UTC) or since the machine started (monotonic). Functions are safe in any thread. */
#ifndef INFLUXFS_BASE_TIME_H
#define INFLUXFS_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define SECOND_NS ((int64_t)1000000000)
#define MILLISECOND_NS ((int64_t)1000000)
#define DAY_NS ((int64_t)86400 * 1000000000)

/* The only clock of the program: the time now, by the wall clock and by the monotonic one. */
int64_t time_wall_ns(void);
int64_t time_mono_ns(void);

/* For tests: moves both clocks ahead of the system's by these times; 0 and 0 undo it. Waits of
 * store/base/lock.h allow for a shift that does not change while they last. */
void time_shift(int64_t wall_ns, int64_t mono_ns);
int64_t time_mono_shift(void);

static inline int64_t time_later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Where the span of this length begins that holds the time, and where the next one does. Spans are
 * counted from the year 1, as Go's Truncate does, so that weeks begin on a Monday; the first and the
 * last end where times do. length > 0. */
int64_t time_floor(int64_t time, int64_t length);
int64_t time_ceil(int64_t time, int64_t length);

/* Between nanoseconds and the struct of system calls, in which tv_nsec is never negative. */
struct timespec time_to_spec(int64_t ns);
int64_t time_from_spec(const struct timespec *t);

/* The day that a time belongs to, and its text; 0 is 1970-01-01. */
int32_t time_day(int64_t ns);

/* The day that it is now by the calendar of this machine's time zone, as date(1) says. */
int32_t time_today(void);

#define TIME_TEXT 40                                   /* bytes for any of these texts */
void time_day_text(int32_t day, char out[TIME_TEXT]);  /* 2016-06-11 */
bool time_read_day(const char *text, int32_t *day);    /* of this form alone */
void time_text(int64_t ns, char out[TIME_TEXT]);       /* 2016-06-11T12:00:00Z, rounded down */
void time_exact_text(int64_t ns, char out[TIME_TEXT]); /* 2016-06-11T12:00:00.000000000Z */

#endif
