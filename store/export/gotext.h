/* SPDX-License-Identifier: MIT */
/*
 * Numbers, times and strings as Go's standard library writes them, in which influxd answers.
 *
 * Text is appended to a struct gotext, which grows. Independent of the locale; pure but for that
 * text.
 */
#ifndef INFLUXFS_EXPORT_GOTEXT_H
#define INFLUXFS_EXPORT_GOTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Zeroed before its first use. */
struct gotext {
    char *p;
    size_t n, cap;
    bool failed; /* memory ran out: text is missing */

    /* For gotext_time: the day that it wrote last, as text ("" at first) and in seconds. */
    char date[16];
    int64_t midnight;
};

void gotext_free(struct gotext *o);

/* Makes room for n more bytes and one; false, and failed, when there is no memory for them. */
bool gotext_grow(struct gotext *o, size_t n);

/* Where to put the next n bytes, of which the caller then counts into o->n what it wrote; NULL when
 * there is no memory for them. */
static inline char *gotext_room(struct gotext *o, size_t n)
{
    if (__builtin_expect(n >= o->cap - o->n, 0) && !gotext_grow(o, n))
        return NULL;
    return o->p + o->n;
}

static inline void gotext_add(struct gotext *o, const void *p, size_t n)
{
    char *to = gotext_room(o, n);
    if (!to)
        return;
    memcpy(to, p, n);
    o->n += n;
}

static inline void gotext_text(struct gotext *o, const char *s)
{
    gotext_add(o, s, strlen(s));
}

void gotext_integer(struct gotext *o, int64_t v);
void gotext_unsigned(struct gotext *o, uint64_t v);

/* The fewest digits that read back as the same number, nearest to it. As encoding/json: with an
 * exponent below 1e-6 and from 1e21 on; as strconv.FormatFloat(v, 'f', -1, 64): never. Infinities
 * and NaN cannot be stored, and come out as null. */
void gotext_float_json(struct gotext *o, double v);
void gotext_float_plain(struct gotext *o, double v);

/* A quoted string as encoding/json writes it: control characters, quotes, backslashes, <, >, &,
 * U+2028 and U+2029 escaped, bytes that are no UTF-8 as \ufffd. */
void gotext_string_json(struct gotext *o, const char *s, size_t n);

/* A field as encoding/csv writes it: in quotes where it has to be. */
void gotext_string_csv(struct gotext *o, const char *s, size_t n);

/* Nanoseconds since 1970 as time.RFC3339Nano in UTC, without zeros at the end of the fraction. */
void gotext_time(struct gotext *o, int64_t ns);

#endif
