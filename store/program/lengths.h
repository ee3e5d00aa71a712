/* SPDX-License-Identifier: MIT */
/* Lengths of time for retention policies, as options name them: one for all, or one for each. */
#ifndef INFLUXFS_PROGRAM_LENGTHS_H
#define INFLUXFS_PROGRAM_LENGTHS_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lengths {
    struct lengths_one {
        char *policy; /* "DB/RP"; NULL: all */
        int64_t ns;
    } * list;
    size_t n;
};

/* The values of options (values.h), struct lengths: TIME or DB/RP=TIME, added to those before; how
 * long points are kept, where INF is for ever, or how long shards are, at most 100 years. */
int value_durations(const char *text, void *out, struct err *e);
int value_shard_durations(const char *text, void *out, struct err *e);

/* That of a policy, the last one that was given for it or else for all; 0 if there is none, or INF. */
int64_t lengths_of(const struct lengths *l, const char *db, const char *rp);

/* A policy that was named and is none of those that `has` knows; NULL. */
const char *lengths_unknown(const struct lengths *l,
                            bool (*has)(void *arg, const char *db, const char *rp), void *arg);

void lengths_clear(struct lengths *l);

#endif
