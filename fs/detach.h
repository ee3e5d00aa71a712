/* SPDX-License-Identifier: MIT */
/*
 * Going to the background, with the news of whether the start went well.
 *
 * The process forks before it opens anything. The child does all of the start, with the terminal
 * still in its hands, so that errors are read where the command was typed; the parent waits and
 * ends with the verdict.
 */
#ifndef INFLUXFS_FS_DETACH_H
#define INFLUXFS_FS_DETACH_H

/* Forks. In the parent it does not return: it exits with what the child reports. In the child it
 * gives a descriptor for detach_ready; -errno when there can be no child. */
int detach_start(void);

/* The start went well: the parent exits with 0, and standard input, output and error go to
 * /dev/null. If the process ends without calling it, the parent exits with 1. */
void detach_ready(int fd);

/* Lets influxd go first: a snapshot is background work. Where the kernel groups processes by
 * session (autogroup, the default) a nice value counts within the session only, and the session has
 * one of its own; so this is done by a process that leads its session, as a daemon does. */
void detach_give_way(void);

/* Makes sure that descriptors 0, 1 and 2 are open, or files opened later would take their place. */
void detach_guard_stdio(void);

#endif
