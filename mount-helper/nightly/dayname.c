/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/dayname.h"

#include "store/base/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_SECONDS ((time_t)86400)

/* Formats are tried with each day of two years, one of them a leap year, and with a day of each year
 * until a format of two digits (%y) begins anew. */
#define TRIED_DAYS 731
#define TRIED_FROM 16801 /* 2016-01-01 */
#define TRIED_LAST 35794 /* 2068-01-01 */

#define LAST_DAY ((int32_t)(INT64_MAX / DAY_NS) - 1) /* that has times, as nanoseconds */

/* The day of a date, whatever the hour; false: out of range. */
static bool dayname_day(const struct tm *t, int32_t *day)
{
    struct tm date = {.tm_year = t->tm_year, .tm_mon = t->tm_mon, .tm_mday = t->tm_mday};
    const time_t midnight = timegm(&date), found = midnight / DAY_SECONDS;
    if (midnight % DAY_SECONDS != 0 || found > LAST_DAY || found < -LAST_DAY)
        return false;
    *day = (int32_t)found;
    return true;
}

void dayname_of(const char *format, int32_t day, char out[DAYNAME])
{
    const time_t midnight = (time_t)day * DAY_SECONDS;
    struct tm tm;
    gmtime_r(&midnight, &tm);
    if (strftime(out, DAYNAME, format, &tm) == 0)
        *out = 0;
}

/* Names that strptime(3) takes beside the one that strftime gives, such as 2016-6-11, are others'. */
bool dayname_read(const char *format, const char *name, int32_t *day)
{
    struct tm tm = {0};
    char same[DAYNAME];
    int32_t found;
    const char *end = strptime(name, format, &tm);
    if (!end || *end || !dayname_day(&tm, &found))
        return false;
    dayname_of(format, found, same);
    if (strcmp(name, same) != 0)
        return false;
    *day = found;
    return true;
}

static bool dayname_may_be(const char *name)
{
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (const char *p = name; *p; p++)
        if (*p == '/' || (unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return true;
}

static int dayname_check_day(const char *format, int32_t day, struct err *e)
{
    char name[DAYNAME], text[TIME_TEXT];
    int32_t back;
    time_day_text(day, text);
    dayname_of(format, day, name);
    if (!dayname_may_be(name))
        return err_set(e, -EINVAL,
                       "%s makes \"%s\" of %s, which no container can be called (expected words of "
                       "strftime, without a slash, such as %s)",
                       format, name, text, DAYNAME_DEFAULT);
    if (!dayname_read(format, name, &back) || back != day)
        return err_set(e, -EINVAL,
                       "%s makes \"%s\" of %s, which does not tell the day (expected year, month "
                       "and day, such as %s)",
                       format, name, text, DAYNAME_DEFAULT);
    return 0;
}

int dayname_check(const char *format, struct err *e)
{
    int r = 0;
    for (int32_t day = TRIED_FROM; r == 0 && day < TRIED_FROM + TRIED_DAYS; day++)
        r = dayname_check_day(format, day, e);
    for (int32_t day = TRIED_FROM; r == 0 && day <= TRIED_LAST; day += 365)
        r = dayname_check_day(format, day, e);
    return r;
}

char *dayname_folder(const char *format, int32_t day, const char *branch)
{
    char container[DAYNAME], text[TIME_TEXT], *out;
    dayname_of(format, day, container);
    time_day_text(day, text);
    return asprintf(&out, "%s/%s/%s", container, text, branch) < 0 ? NULL : out;
}

int dayname_newest_first(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x < y) - (x > y);
}
