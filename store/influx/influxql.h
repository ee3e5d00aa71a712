/* SPDX-License-Identifier: MIT */
/*
 * Words of InfluxQL, as influxd reads them (github.com/influxdata/influxql, scanner.go): enough to
 * find names in a statement, and to write names and texts into one. Pure, on untrusted text.
 */
#ifndef INFLUXFS_INFLUX_INFLUXQL_H
#define INFLUXFS_INFLUX_INFLUXQL_H

#include "store/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

enum influxql_kind {
    INFLUXQL_WORD,  /* a name or a keyword without quotes */
    INFLUXQL_NAME,  /* a name in double quotes */
    INFLUXQL_VALUE, /* a text in single quotes, a number, a duration */
    INFLUXQL_REGEX, /* with its slashes */
    INFLUXQL_SIGN   /* one character */
};

struct influxql_token {
    enum influxql_kind kind;
    const char *p; /* within the statement, quotes included */
    size_t n;
    bool apart; /* space or a comment stands before it */
};

/* The tokens of a statement; the caller frees *out. -EBADMSG: a quote, a regular expression or a
 * comment that does not end; -ENOMEM. */
int influxql_tokens(const char *text, struct influxql_token **out, size_t *n);

/* Whether it is this keyword (in capitals), or this character. */
bool influxql_is(const struct influxql_token *t, const char *keyword);
bool influxql_is_sign(const struct influxql_token *t, char c);

/* Whether a WORD or NAME means this name. */
bool influxql_names(const struct influxql_token *t, const char *name);

/* Appends a name in double quotes, or a text in single quotes. */
void influxql_put_name(struct buffer *out, const char *name);
void influxql_put_text(struct buffer *out, const char *text);

/* What InfluxQL calls a privilege of meta.db: 1 "READ", 2 "WRITE", 3 "ALL"; NULL for all else. */
const char *influxql_privilege(int privilege);

/* Appends the statement that gives a user this privilege, which has a name, on a database. */
void influxql_put_grant(struct buffer *out, int privilege, const char *db, const char *user);

#endif
