/* SPDX-License-Identifier: MIT */
/*
 * What the nightly programs share: each does one job on one store.
 *
 *   static const struct nightjob_program archive = {
 *       .kind = JOB_ARCHIVE, .need = SNAP_SNAPSHOTS, .day = 0,
 *       .command = {"influxfs-archive", …},
 *       .run = archive_run};
 *   int main(int argc, char **argv) { return nightjob_main(argc, argv, &archive); }
 *
 * nightjob_main reads the command line; says everything under the program's name; finds the store's
 * folders; takes its lock (joblock.h); runs --before; opens the store and the remote; runs the job;
 * closes all; writes down how it ended (jobs.h); lets go of the lock; runs --after, or --on-failure;
 * and prints the result with --json. A job that is told to stop (snap_stopped) ends with
 * EXIT_FAILED and goes the same way. A dry run takes no lock, runs no hooks and is not remembered.
 */
#ifndef INFLUXFS_NIGHTLY_NIGHTJOB_H
#define INFLUXFS_NIGHTLY_NIGHTJOB_H

#include "store/influxsnap/snap.h"
#include "store/program/jobs.h"

struct remote;

struct nightjob {
    struct snap snap;         /* its options (snap.o) and the store, opened as .need says */
    struct remote *remote;    /* opened by snap.o.remote */
    bool locked;              /* the store's lock is held: no other job on it is under way here */
    int32_t day;              /* --day, or the program's default; since 1970 */
    int64_t began_ns;         /* since 1970 */
    struct job_end end;       /* .day, .bytes, .objects: the job may fill them in; .day is --day's
                               * text at first. .text: NULL is the last error, or warning, it said */
    struct json_object *json; /* with --json: keys of its own to add to the line; else NULL */
};

struct nightjob_program {
    enum job_kind kind;
    struct command command; /* its name is the program's; its run is not used */
    enum snap_need need;
    int day; /* without --day: 0 today, -1 yesterday */
    /* What of the options does not go together: -EINVAL with a message, before anything is
     * touched; then the exit code is EXIT_USAGE. May be NULL. */
    int (*check)(const struct options *o, struct err *e);
    int (*run)(struct nightjob *j); /* an exit code (say.h); says by itself what went wrong */
    /* With --start-stopped, which is no job: without a remote, and with the folders alone; the same. */
    int (*heal)(struct nightjob *j);
};

/* The exit code of the program. */
int nightjob_main(int argc, char **argv, const struct nightjob_program *program);

#endif
