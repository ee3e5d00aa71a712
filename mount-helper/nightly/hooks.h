/* SPDX-License-Identifier: MIT */
/*
 * Commands of the operator's that run with a job: --before, --after, --on-failure. sh(1) runs them, with
 * what they may want to know in their environment and never on a command line:
 *
 *   INFLUXFS_JOB     archive, fetch or dump
 *   INFLUXFS_DAY     2016-06-11
 *   INFLUXFS_RESULT  the path of jobs.json (jobs.h); missing if there is no state folder
 *   INFLUXFS_EXIT    the exit code of the job         these two only when it has ended
 *   INFLUXFS_TEXT    why it failed, or what is omitted; may be empty
 *
 * What they write goes to stderr; they read nothing, and get no other open file of ours.
 */
#ifndef INFLUXFS_NIGHTLY_HOOKS_H
#define INFLUXFS_NIGHTLY_HOOKS_H

#include "store/program/jobs.h"

struct hooks_about {
    enum job_kind kind;
    const char *day, *result;
    const struct job_end *end; /* NULL: not yet */
};

/* Runs a command to its end. A signal to this program that comes meanwhile (snap_catch_signals) ends
 * it, with all that it has started: with SIGTERM, and five seconds later with SIGKILL. -ECHILD: it
 * failed, -EINTR: it was ended so; others from the system. */
int hooks_run(const char *command, const struct hooks_about *about, struct err *e);

#endif
