/* SPDX-License-Identifier: MIT */
/* Allowed gaps in a text of points, and their reporting. Without a struct gaps, or if it does not
 * allow that kind of gap, the omission is an error instead. */
#ifndef INFLUXFS_POINTS_GAPS_H
#define INFLUXFS_POINTS_GAPS_H

#include "store/base/err.h"
#include "store/influx/serieskey.h"

#include <stdbool.h>
#include <stdint.h>

/* A name for messages: long ones shortened, control bytes as % and two hexadecimal digits. */
#define GAPS_NAME 200
void gaps_name(struct slice name, char out[GAPS_NAME]);

/* "from 2016-06-11T00:00:00Z to 2016-06-11T23:59:59.999Z", both included. */
#define GAPS_TIMES 96
void gaps_times(int64_t first, int64_t last, char out[GAPS_TIMES]);

struct gaps {
    bool names;  /* series and fields that a format cannot express may be left out */
    bool damage; /* damaged data may be left out */
    /* Reports a gap in one line, as in struct err; may repeat a line. Called in the reading
     * thread. */
    void (*say)(void *ctx, const char *words);
    void *ctx;
};

/* 0 if code is damage (-EBADMSG, with its message in *e) that may be left out: it is reported, with
 * this text after the message, and *e is emptied. Otherwise returns code. */
int gaps_damage(const struct gaps *g, int code, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for damage of a block with these times of a key. */
int gaps_block(const struct gaps *g, struct slice key, int64_t first, int64_t last, int code,
               struct err *e);

/* Reports a line. */
void gaps_say(const struct gaps *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
