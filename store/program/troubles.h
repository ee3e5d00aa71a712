/* SPDX-License-Identifier: MIT */
/* What is wrong with a store and its snapshots, by a report: what, why, and what to do about it, in
 * plain words. The page and the answer of a check are made of it. Limits are in the report's options.
 * mount-helper/monitoring/influxfs-alerts.yml has the same by metrics; tests compare. */
#ifndef INFLUXFS_PROGRAM_TROUBLES_H
#define INFLUXFS_PROGRAM_TROUBLES_H

#include "store/program/report.h"

enum trouble_level {
    TROUBLE_NOTE,    /* as it should be, but to be known */
    TROUBLE_UNKNOWN, /* whether something is wrong cannot be told, which is to be looked at */
    TROUBLE_WARN,    /* to be looked at */
    TROUBLE_BAD,     /* something is lost, or will be */
    TROUBLE_LEVELS
};

struct trouble {
    enum trouble_level level;
    struct err what; /* a sentence without its full stop */
    struct err why;  /* the error that was met, with names of the store; or empty */
    struct err todo; /* sentences; or empty */
};

/* The worst first; of those of one level, the store's before the cuts' before the mount's. */
struct troubles {
    struct trouble *at;
    size_t n;
    size_t count[TROUBLE_LEVELS];
};

/* -ENOMEM: *out is empty. */
int troubles_find(const struct report *r, struct troubles *out);
void troubles_clear(struct troubles *t);

/* That of the first; TROUBLE_NOTE if there is none. */
enum trouble_level troubles_worst(const struct troubles *t);

#endif
