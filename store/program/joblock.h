/* SPDX-License-Identifier: MIT */
/* One nightly job at a time works on a store: a lock on jobs.lock in its state folder, which the
 * kernel lets go of when the job ends, however it does. What the file says is for people. */
#ifndef INFLUXFS_PROGRAM_JOBLOCK_H
#define INFLUXFS_PROGRAM_JOBLOCK_H

#include "store/program/jobs.h"

/* Takes the lock: *out is a descriptor, and closing it lets go. -EBUSY: another job has held it all
 * the time up to wait_ns from now (*e: which, since when, and what to do); -EINTR: `stopped` said so
 * meanwhile (NULL: never); others from the system, such as -EROFS. */
int joblock_take(const char *state, enum job_kind kind, int64_t wait_ns, bool (*stopped)(void *ctx),
                 void *ctx, int *out, struct err *e);

/* The job that is at work. */
struct job_now {
    bool working;
    bool known; /* what follows is; else it has only just begun, or the disk is full */
    enum job_kind kind;
    pid_t pid;        /* in its own namespace of processes */
    int64_t since_ns; /* since 1970 */
};

/* Looks, and disturbs nobody. Nothing is at work where there is no such file. */
int joblock_look(const char *state, struct job_now *out, struct err *e);

#endif
