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

/* Whether some process has its working folder or its root in this folder, or below it. The path is
 * compared, so that no file system is asked. */
bool caller_works_in(const char *folder);

#endif
