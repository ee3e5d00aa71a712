/* SPDX-License-Identifier: MIT */
#include "store/chain/cuts.h"

#include <errno.h>
#include <time.h>

/* Takes n digits. */
static bool digits(const char **p, const char *end, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, ++*p) {
        if (*p >= end || **p < '0' || **p > '9')
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool take(const char **p, const char *end, char c)
{
    if (*p >= end || **p != c)
        return false;
    ++*p;
    return true;
}

/* Up to nine decimals of a second; the rest is cut off. */
static bool fraction(const char **p, const char *end, int64_t *ns)
{
    int64_t unit = 100000000;
    const char *start = *p;
    for (; *p < end && **p >= '0' && **p <= '9'; ++*p, unit /= 10)
        *ns += (**p - '0') * unit;
    return *p > start;
}

/* Z, or an offset from UTC in seconds. */
static bool time_zone(const char **p, const char *end, int64_t *seconds)
{
    int h, m;
    if (take(p, end, 'Z') || take(p, end, 'z'))
        return true;
    if (*p >= end || (**p != '+' && **p != '-'))
        return false;
    bool west = *(*p)++ == '-';
    if (!digits(p, end, 2, &h))
        return false;
    take(p, end, ':');
    if (!digits(p, end, 2, &m) || h > 23 || m > 59)
        return false;
    *seconds = (west ? -1 : 1) * (int64_t)(h * 3600 + m * 60);
    return true;
}

static bool read_parts(const char **p, const char *end, bool dashes, struct tm *t)
{
    if (!digits(p, end, 4, &t->tm_year) || (dashes && !take(p, end, '-')) ||
        !digits(p, end, 2, &t->tm_mon) || (dashes && !take(p, end, '-')) ||
        !digits(p, end, 2, &t->tm_mday))
        return false;
    if (!take(p, end, 'T') && !take(p, end, 't') && !(dashes && take(p, end, ' ')))
        return false;
    return digits(p, end, 2, &t->tm_hour) && (!dashes || take(p, end, ':')) &&
           digits(p, end, 2, &t->tm_min) && (!dashes || take(p, end, ':')) &&
           digits(p, end, 2, &t->tm_sec);
}

/* Whether each part is in range: timegm would turn the 30th of February into another day. */
static bool is_sound(const struct tm *given, const struct tm *back)
{
    return given->tm_mon == back->tm_mon && given->tm_mday == back->tm_mday &&
           given->tm_hour == back->tm_hour && given->tm_min == back->tm_min &&
           (given->tm_sec == back->tm_sec || given->tm_sec == 60);
}

int cuts_parse_time(const char *text, size_t len, int64_t *ns)
{
    const char *p = text, *end = text + len;
    struct tm t = {0}, back;
    int64_t below = 0, offset = 0;
    bool dashes = len > 4 && text[4] == '-';
    if (!read_parts(&p, end, dashes, &t))
        return -EINVAL;
    if (take(&p, end, '.') && !fraction(&p, end, &below))
        return -EINVAL;
    if (!time_zone(&p, end, &offset) || p != end)
        return -EINVAL;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    struct tm copy = t;
    time_t s = timegm(&copy);
    gmtime_r(&s, &back);
    if (t.tm_sec > 60 || (t.tm_sec < 60 && !is_sound(&t, &back)))
        return -EINVAL;
    return __builtin_mul_overflow((int64_t)s - offset, (int64_t)1000000000, ns) ||
                   __builtin_add_overflow(*ns, below, ns)
               ? -EINVAL
               : 0;
}
