/* SPDX-License-Identifier: MIT */
#include "store/export/dump_name.h"

#include "store/base/time.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORTENED 180
#define DIGEST 16  /* hexadecimal digits */
#define FROM_TO 40 /* bytes of "_FROM_TO", of whole seconds */

const char *const dump_extensions[3] = {"json", "csv", "lp"};

static bool is_coded(struct slice name, size_t i)
{
    unsigned char c = (unsigned char)name.p[i];
    bool dots = name.n <= 2 && name.p[0] == '.' && name.p[name.n - 1] == '.';
    return c == '/' || c == '%' || c < 0x20 || c == 0x7f || dots;
}

/* Writes as many whole characters of the name as fit into max bytes; true if that is all. */
static bool name_encode(struct slice name, size_t max, char *out)
{
    size_t n = 0, whole = 0;
    for (size_t i = 0; i < name.n; i++) {
        bool begins = (name.p[i] & 0xc0) != 0x80 || i == 0 || !(name.p[i - 1] & 0x80);
        if (begins)
            whole = n;
        bool coded = is_coded(name, i);
        if (n + (coded ? 3 : 1) > max) {
            out[whole] = 0;
            return false;
        }
        if (coded)
            n += (size_t)snprintf(out + n, 4, "%%%02X", (unsigned char)name.p[i]);
        else
            out[n++] = name.p[i];
    }
    out[n] = 0;
    return true;
}

void dump_name_within(struct slice name, size_t max, char out[DUMP_NAME_MAX + 1])
{
    char hex[SHA256_HEX + 1] = "0000000000000000"; /* when out of memory */
    if (name_encode(name, max, out))
        return;
    name_encode(name, SHORTENED, out);
    (void)sha256_of(name.p, name.n, hex);
    size_t n = strlen(out);
    snprintf(out + n, DUMP_NAME_MAX + 1 - n, "~%.*s", DIGEST, hex);
}

static void name_encode_measurement(struct slice name, enum dump_format format, size_t more,
                                    char out[DUMP_NAME_MAX + 1])
{
    dump_name_within(name, DUMP_NAME_MAX - FROM_TO - 1 - strlen(dump_extensions[format]) - more,
                     out);
}

void dump_name_folder(struct slice name, char out[DUMP_NAME_MAX + 1])
{
    dump_name_within(name, DUMP_NAME_MAX, out);
}

/* The beginning of a day, after "_". */
static size_t name_write_day(int32_t day, enum dump_names names, char *out, size_t max)
{
    char d[TIME_TEXT];
    time_day_text(day, d);
    return (size_t)(names == DUMP_NAMES_COMPACT
                        ? snprintf(out, max, "_%.4s%.2s%.2sT000000Z", d, d + 5, d + 8)
                        : snprintf(out, max, "_%.10s-00:00:00", d));
}

void dump_name_packed(struct slice measurement, int32_t day, enum dump_format format,
                      enum dump_names names, const char *ending, char out[DUMP_NAME_MAX + 1])
{
    name_encode_measurement(measurement, format, strlen(ending), out);
    size_t n = strlen(out);
    n += name_write_day(day, names, out + n, DUMP_NAME_MAX + 1 - n);
    n += name_write_day(day + 1, names, out + n, DUMP_NAME_MAX + 1 - n);
    snprintf(out + n, DUMP_NAME_MAX + 1 - n, ".%s%s", dump_extensions[format], ending);
}

void dump_name_file(struct slice measurement, int32_t day, enum dump_format format,
                    enum dump_names names, char out[DUMP_NAME_MAX + 1])
{
    dump_name_packed(measurement, day, format, names, "", out);
}

/* Reads a number of `digits` digits, from least to most. */
static bool name_parse_digits(const char **p, size_t digits, int least, int most, int *out)
{
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)(*p)[i]))
            return false;
        *out = *out * 10 + ((*p)[i] - '0');
    }
    *p += digits;
    return *out >= least && *out <= most;
}

static bool take(const char **p, char c)
{
    return **p == c ? (++*p, true) : false;
}

/* 2016-06-11, or compact 20160611, as seconds since 1970. */
static bool name_parse_date(const char **p, bool compact, time_t *out)
{
    int year, month, day;
    if (!name_parse_digits(p, 4, 0, 9999, &year) || !(compact || take(p, '-')) ||
        !name_parse_digits(p, 2, 1, 12, &month) || !(compact || take(p, '-')) ||
        !name_parse_digits(p, 2, 1, 31, &day))
        return false;
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    *out = timegm(&tm);
    return tm.tm_mday == day; /* there is such a day in this month */
}

bool dump_name_is_day(const char *name, int32_t *day)
{
    time_t seconds;
    if (!name_parse_date(&name, false, &seconds) || *name)
        return false;
    *day = (int32_t)(seconds / 86400);
    return true;
}

/* A point and up to nine digits, or nothing. */
static bool name_parse_fraction(const char **p, const char *end, int64_t *ns)
{
    int64_t unit = SECOND_NS;
    *ns = 0;
    if (*p == end || !take(p, '.'))
        return true;
    for (; isdigit((unsigned char)**p); ++*p) {
        unit /= 10;
        *ns += (**p - '0') * unit;
        if (unit == 0)
            return false;
    }
    return unit < SECOND_NS;
}

/* From begin to end, as nanoseconds. */
static bool name_parse_time(const char *begin, const char *end, int64_t *out)
{
    time_t seconds;
    int hour, minute, second;
    int64_t ns;
    const char *p = begin;
    bool compact = end > begin && end[-1] == 'Z';
    end -= compact;
    if (!name_parse_date(&p, compact, &seconds) || !take(&p, compact ? 'T' : '-') ||
        !name_parse_digits(&p, 2, 0, 23, &hour) || !(compact || take(&p, ':')) ||
        !name_parse_digits(&p, 2, 0, 59, &minute) || !(compact || take(&p, ':')) ||
        !name_parse_digits(&p, 2, 0, 59, &second) || !name_parse_fraction(&p, end, &ns) || p != end)
        return false;
    seconds += hour * 3600 + minute * 60 + second;
    if (__builtin_mul_overflow((int64_t)seconds, SECOND_NS, out) ||
        __builtin_add_overflow(*out, ns, out))
        *out = seconds < 0 ? INT64_MIN : INT64_MAX;
    return true;
}

static bool name_decode(const char *p, size_t n, struct dump_name *out)
{
    out->n = 0;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == '%') {
            const char hex[3] = {i + 2 < n ? p[i + 1] : 0, i + 2 < n ? p[i + 2] : 0, 0};
            if (!isxdigit((unsigned char)hex[0]) || !isxdigit((unsigned char)hex[1]))
                return false;
            c = (char)strtoul(hex, NULL, 16);
            i += 2;
        }
        out->measurement[out->n++] = c;
    }
    return out->n > 0;
}

static bool looks_shortened(const char *p, size_t n)
{
    if (n < DIGEST + 1 || p[n - DIGEST - 1] != '~' || n > SHORTENED + DIGEST + 1)
        return false;
    return strspn(p + n - DIGEST, "0123456789abcdef") == DIGEST;
}

/* The last c in the n bytes at p. */
static const char *last(const char *p, size_t n, char c)
{
    return memrchr(p, c, n);
}

bool dump_name_parse(const char *name, enum dump_format format, struct dump_name *out)
{
    size_t n = strlen(name), ext = strlen(dump_extensions[format]);
    if (n > DUMP_NAME_MAX || n < ext + 2 || name[n - ext - 1] != '.' ||
        strcmp(name + n - ext, dump_extensions[format]) != 0)
        return false;
    n -= ext + 1;
    const char *to = last(name, n, '_');
    const char *from = to ? last(name, (size_t)(to - name), '_') : NULL;
    if (!from || !name_parse_time(from + 1, to, &out->from) ||
        !name_parse_time(to + 1, name + n, &out->to))
        return false;
    n = (size_t)(from - name);
    out->format = format;
    memcpy(out->coded, name, n);
    out->coded[n] = 0;
    out->shortened = looks_shortened(name, n);
    return name_decode(name, n, out);
}

bool dump_name_is_shortened_of(const struct dump_name *name, struct slice measurement)
{
    char coded[DUMP_NAME_MAX + 1];
    name_encode_measurement(measurement, name->format, 0, coded);
    return strcmp(coded, name->coded) == 0;
}
