/* SPDX-License-Identifier: MIT */
/* Says on stderr what a result lacks, or what an operator should know of it; each line once. */
#ifndef INFLUXFS_INFLUXSNAP_TOLD_H
#define INFLUXFS_INFLUXSNAP_TOLD_H

#include "store/influxsnap/meter.h"

#include <stdbool.h>
#include <stddef.h>

struct told_line;

/* Zeroed before its first use, except for the meter. */
struct told {
    struct told_line *lines;
    struct meter *meter; /* hidden while a line is said */
    size_t lacking;      /* lines of told_lacks */
};

/* Something that was asked for is not in the result. For struct gaps: ctx is the struct told. */
void told_lacks(void *ctx, const char *words);

/* Nothing is missing, but an operator should know. */
void told_warn(struct told *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void told_clear(struct told *t);

#endif
