/* SPDX-License-Identifier: MIT */
/* What is wrong with a store and its snapshots, by a report: what, why, and what to do about it, in
 * plain words. */
#ifndef INFLUXFS_PROGRAM_TROUBLES_H
#define INFLUXFS_PROGRAM_TROUBLES_H

#include "store/program/report.h"

enum trouble_level {
    TROUBLE_NOTE, /* as it should be, but to be known */
    TROUBLE_WARN, /* to be looked at */
    TROUBLE_BAD,  /* something is lost, or will be */
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

#endif
