/* SPDX-License-Identifier: MIT */
/*
 * The dumps of one day: which there are, which of them lie on the remote as they are, and the rest
 * uploaded; then the receipt. A measurement without points is not uploaded, and what an earlier run
 * uploaded of it is removed; but it is kept where the points may have been lost and not deleted (a shard
 * that has expired, or is damaged), and where another store's receipt names it. A measurement that
 * cannot be dumped does not stop the others.
 */
#ifndef INFLUXFS_NIGHTLY_DUMP_DAY_H
#define INFLUXFS_NIGHTLY_DUMP_DAY_H

#include "mount-helper/nightly/dump_wanted.h"
#include "mount-helper/nightly/nightjob.h"
#include "mount-helper/nightly/putting.h"
#include "store/export/dump_name.h"
#include "store/influx/store_id.h"
#include "store/influxsnap/dump_advice.h"

struct dump_receipts;

/* A run of the program, for all of its days. */
struct dump_run {
    struct nightjob *job;
    struct store_id store;
    const char *containers; /* the format of their names */
    struct putting putting;
    struct schema_cache *cache;
    struct dump_query query;          /* its measurement and times are each day's */
    char what[2 * DUMP_NAME_MAX + 2]; /* "DB/RP", spelled as in dump_name.h */
    struct dump_wanted wanted;
    struct gaps gaps;
    struct told told;
    struct meter meter;
    char **omitted; /* what the capture lacks, for each receipt */
    size_t nomitted;
    struct dump_receipts *day; /* gets what is left out; NULL: none is open */
    size_t lacks;              /* times that it got something */
    bool full;                 /* memory ran out for what is left out */
    size_t removed;            /* objects */
    size_t failed;             /* measurements, or days, that could not be dumped */
    struct json_object *days;  /* results; NULL without --json */
};

/* -errno of what ends the run: the remote fails, memory runs out, or -EINTR. */
int dump_day(struct dump_run *run, int32_t day, struct err *e);

#endif
