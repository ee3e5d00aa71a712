/* SPDX-License-Identifier: MIT */
/* Which process a request comes from, and where processes are. */
#ifndef INFLUXFS_FS_CALLER_H
#define INFLUXFS_FS_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

struct caller {
    pid_t pid; /* of the thread group; 0: not visible from here (another pid namespace, or gone) */
    unsigned long long start; /* clock ticks since boot: tells it from a later one of that number */
};

/* tid is what FUSE reports: a thread. */
struct caller caller_of(pid_t tid);
bool caller_same(const struct caller *a, const struct caller *b);
/* Whether the process still runs; one that cannot be seen is taken to. */
bool caller_alive(const struct caller *c);

/* Whether a thread that got a signal is about to end for it, rather than go on with what it does:
 * one that kills it, or that asks it to end, and that it does not ignore. Programs get others all
 * the time (those written in Go preempt their own threads with SIGURG). One that cannot be seen is
 * taken to end. */
bool caller_ends(pid_t tid);

/* Whether it has been killed by a signal, and its files are being closed for it. The kernel does
 * not interrupt what it asks for then. */
bool caller_was_killed(pid_t tid);

/* Whether some process has its working folder or its root in this folder, or below it. The path is
 * compared, so that no file system is asked. */
bool caller_works_in(const char *folder);

#endif
