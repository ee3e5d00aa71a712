/* SPDX-License-Identifier: MIT */
/*
 * The nightly jobs (influxfs-archive, influxfs-fetch, influxfs-dump): how each ended, as the state
 * folder remembers it in jobs.json, and whether one is at work now. A plain record, without secrets;
 * nothing depends on it. One job at a time works on a store: joblock.h.
 */
#ifndef INFLUXFS_PROGRAM_JOBS_H
#define INFLUXFS_PROGRAM_JOBS_H

#include "store/program/history.h"

#include <sys/types.h>

#define JOBS_FILE "jobs.json"

enum job_kind { JOB_ARCHIVE, JOB_FETCH, JOB_DUMP, JOB_KINDS };

/* "archive", "fetch", "dump"; the program's name is "influxfs-" and this. */
extern const char *const job_kind_names[JOB_KINDS];

/* How a job ended. Texts are fresh memory (job_end_clear), or NULL. */
struct job_end {
    enum history_result result;
    int code;                   /* the exit code of the program */
    int64_t began_ns, ended_ns; /* since 1970 */
    char *day;                  /* which it was for: 2016-06-11, or 2016-06-01/2016-07-01 */
    char *remote;               /* as --remote names it */
    uint64_t bytes, objects;    /* that it moved */
    char *text;                 /* why it failed, or what is omitted; else NULL */
    bool unit;                  /* it ran from a unit of systemd, as what is to go on does */
};

/* What is known of each kind. */
struct jobs {
    struct {
        struct job_end last;             /* ended_ns 0: none has ended */
        int64_t good_ns;                 /* when one last ended that did not fail; 0: none has */
        char *good_day;                  /* and for which day */
        uint64_t total[HISTORY_RESULTS]; /* how many ended so */
        bool unit;                       /* one of them ran from a unit */
    } of[JOB_KINDS];
};

/* Reads what the state folder remembers; without a file: nothing. The caller clears *out, which is
 * empty after an error: -EBADMSG, the file is damaged; others from the system. */
int jobs_read(const char *state, struct jobs *out, struct err *e);
void jobs_clear(struct jobs *j);
void job_end_clear(struct job_end *e);

/* Remembers an end, durably, in one step. A damaged file is begun anew, with a warning in the log.
 * Processes wait for each other, for ten seconds at most (-EAGAIN). An error is no reason to fail what
 * has ended. */
int jobs_add(const char *state, enum job_kind kind, const struct job_end *end, struct err *e);

/* {"result":…, "code", "began", …}, as below, and the same of all kinds:
 * {"archive":{"done":N,"omissions":N,"failed":N,"unit":true,"last":{"result","code","began","began_ns","ended",
 * "ended_ns","day","remote","bytes","objects","text"}|null,"good":{"day","ended","ended_ns"}|null},…}, where
 * "unit" stands only if it is true; which the caller puts. NULL when out of memory. */
struct json_object *job_end_json(const struct job_end *e);
struct json_object *jobs_json(const struct jobs *j);

#endif
