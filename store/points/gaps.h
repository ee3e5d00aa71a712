/* SPDX-License-Identifier: MIT */
/*
 * What a text lacks of the points that it is of, and who is told of it. Without a struct gaps, or
 * where it does not allow that kind, what would be lacking is an error.
 */
#ifndef INFLUXFS_POINTS_GAPS_H
#define INFLUXFS_POINTS_GAPS_H

#include "store/base/err.h"

#include "store/influx/serieskey.h"

#include <stdbool.h>
#include <stdint.h>

/* A name as words show it: cut where it is long, control bytes as % and two hexadecimal digits. */
#define GAPS_NAME 200
void gaps_name(struct slice name, char out[GAPS_NAME]);

/* "from 2016-06-11T00:00:00Z to 2016-06-11T23:59:59.999Z", both included. */
#define GAPS_TIMES 96
void gaps_times(int64_t first, int64_t last, char out[GAPS_TIMES]);

struct gaps {
    bool names;  /* series and fields that a format cannot express may be left out */
    bool damage; /* and so may what is damaged */
    /* A line of words as in struct err; the same may come several times. Called in the thread that
     * reads. */
    void (*say)(void *ctx, const char *words);
    void *ctx;
};

/* Of damage (-EBADMSG, with its words in *e) that may be left out, the words are said, with these
 * after them, and it is no error: 0. Anything else is code as it is. */
int gaps_damage(const struct gaps *g, int code, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Says a line. */
void gaps_say(const struct gaps *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
