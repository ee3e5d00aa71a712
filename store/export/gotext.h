/* SPDX-License-Identifier: MIT */
/* Numbers, times and strings in the format of Go's standard library, which influxd's answers use.
 * Each function appends to a buffer, or counts what it would append. The locale does not matter. */
#ifndef INFLUXFS_EXPORT_GOTEXT_H
#define INFLUXFS_EXPORT_GOTEXT_H

#include "store/base/buffer.h"

#include <stdint.h>

void gotext_integer(struct buffer *o, int64_t v);
void gotext_unsigned(struct buffer *o, uint64_t v);

/* The shortest digits that read back as the same number. As encoding/json: with an exponent below
 * 1e-6 and from 1e21 on; as strconv.FormatFloat(v, 'f', -1, 64): without. Infinities and NaN cannot
 * be stored, and become null. */
void gotext_float_json(struct buffer *o, double v);
void gotext_float_plain(struct buffer *o, double v);

/* A quoted string as encoding/json writes it: control characters, quotes, backslashes, <, >, &,
 * U+2028 and U+2029 escaped, bytes that are no UTF-8 as \ufffd. */
void gotext_string_json(struct buffer *o, const char *s, size_t n);

/* A field as encoding/csv writes it: quoted where needed. */
void gotext_string_csv(struct buffer *o, const char *s, size_t n);

/* The day of the last time written: most times share their predecessor's day. Zeroed before its
 * first use. */
struct gotext_day {
    char date[16];    /* "2016-06-11T" */
    int64_t midnight; /* seconds since 1970 */
};

/* Nanoseconds since 1970 as time.RFC3339Nano in UTC, without zeros at the end of the fraction. */
void gotext_time(struct buffer *o, struct gotext_day *day, int64_t ns);

#endif
