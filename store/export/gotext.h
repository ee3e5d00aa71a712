/* SPDX-License-Identifier: MIT */
/*
 * Numbers, times and strings as Go's standard library writes them, in which influxd answers.
 *
 * Text is appended to a struct gotext_out, which hands it on in pieces. Functions return 0 or what
 * its write said. Independent of the locale.
 */
#ifndef INFLUXFS_EXPORT_GOTEXT_H
#define INFLUXFS_EXPORT_GOTEXT_H

#include "store/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct gotext_out {
    int (*write)(void *ctx, const void *p, size_t n, struct err *e);
    void *ctx;
    struct err *e;
    size_t n;
    char buf[32 << 10];
};

/* Appends, and hands on all that is there. */
int gotext_add(struct gotext_out *o, const void *p, size_t n);
int gotext_text(struct gotext_out *o, const char *s);
int gotext_flush(struct gotext_out *o);

int gotext_integer(struct gotext_out *o, int64_t v);
int gotext_unsigned(struct gotext_out *o, uint64_t v);

/* The fewest digits that read back as the same number, nearest to it. As encoding/json: with an
 * exponent below 1e-6 and from 1e21 on; as strconv.FormatFloat(v, 'f', -1, 64): never. Infinities
 * and NaN cannot be stored, and come out as null. */
int gotext_float_json(struct gotext_out *o, double v);
int gotext_float_plain(struct gotext_out *o, double v);

/* A quoted string as encoding/json writes it: control characters, quotes, backslashes, <, >, &,
 * U+2028 and U+2029 escaped, bytes that are no UTF-8 as \ufffd. */
int gotext_string_json(struct gotext_out *o, const char *s, size_t n);

/* A field as encoding/csv writes it: in quotes where it has to be. */
int gotext_string_csv(struct gotext_out *o, const char *s, size_t n);

/* Nanoseconds since 1970 as time.RFC3339Nano in UTC, without zeros at the end of the fraction. */
int gotext_time(struct gotext_out *o, int64_t ns);

#endif
