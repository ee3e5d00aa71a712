/* SPDX-License-Identifier: MIT */
/* The processors: how many this process may use, and whether others want them. Safe in any thread. */
#ifndef INFLUXFS_BASE_PROCESSORS_H
#define INFLUXFS_BASE_PROCESSORS_H

/* How many threads of this process can run at once, by its affinity and by the quota of its cgroup
 * (cpu.max, of version 2), rounded up. At least 1. */
unsigned processors_allowed(void);

/* The processors of the machine, less the threads that want to run just now, the caller among them:
 * above 0, so many are idle; below 0, so many threads wait for one. 0 if it cannot be told. */
int processors_spare(void);

#endif
