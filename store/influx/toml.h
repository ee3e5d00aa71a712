/* SPDX-License-Identifier: MIT */
/*
 * Reads TOML (1.0, the parts that an influxdb.conf can hold) and reports the keys that are set.
 *
 * Understood: comments, [tables], [[arrays of tables]], bare, quoted and dotted keys, basic and
 * literal strings in one line or several, arrays, inline tables, and any other value as one word
 * (numbers, booleans, dates: not checked further). LF and CRLF; a byte order mark is skipped. The
 * bytes of a string need not be UTF-8: influxd hands them on as they are, and a folder may have such
 * a name. Keys set twice are the caller's to notice.
 */
#ifndef INFLUXFS_INFLUX_TOML_H
#define INFLUXFS_INFLUX_TOML_H

#include "store/base/err.h"

#include <stddef.h>

/* One key that is set, outside of arrays. Everything in it lives until the callback returns. */
struct toml_item {
    const char *const *key; /* the whole path, tables included */
    size_t depth;           /* number of parts */
    const char *string;     /* without NUL; NULL if the value is not a string */
    const char *word;       /* a number, boolean or date as written, or NULL */
    unsigned line;          /* where the value ends, from 1 */
};

/* A negative result ends the reading and is returned. */
typedef int toml_fn(void *arg, const struct toml_item *item);

/* Reads len bytes of text in one pass. name is what errors call it. -EINVAL with "NAME:LINE: …" in
 * e where a line cannot be understood, -ENOMEM, or what fn returned. */
int toml_read(const char *text, size_t len, const char *name, toml_fn *fn, void *arg,
              struct err *e);

#endif
