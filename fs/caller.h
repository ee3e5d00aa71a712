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

/* A descriptor that tells when the process, which asks at this moment, has ended; whoever calls this closes
 * it. -errno where the process cannot be seen, -ESRCH where it has ended. */
int caller_watch(const struct caller *c);
/* Whether the process has ended; watch is what caller_watch gave. One that cannot be seen counts as
 * running. Never waits: a look at /proc might, for a process that starts another program. */
bool caller_has_ended(int watch);

/* Whether a thread that got a signal is about to end: the signal kills it, or asks it to end and is
 * not ignored. Other signals are common (Go programs preempt their threads with SIGURG). A thread
 * that cannot be seen counts as ending. */
bool caller_ends(pid_t tid);

/* Whether a signal has killed the thread, so that its files are being closed. The kernel does not
 * interrupt the requests of such a thread. */
bool caller_was_killed(pid_t tid);

/* Whether a process has its working folder or root in or below this folder. Compares paths, so that
 * no file system is asked. */
bool caller_works_in(const char *folder);

#endif
