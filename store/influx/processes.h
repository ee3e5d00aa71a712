/* SPDX-License-Identifier: MIT */
/*
 * All processes but the caller's own, as they are now.
 *
 * While a process starts another program, the kernel closes files of the old one, and looks at its maps
 * in /proc wait meanwhile (in newer kernels those at its links and its stat, too). Where such a file is
 * one of a FUSE mount, this lasts until the daemon answers; a daemon that looks at processes before it
 * answers would wait for itself. So a thread of its own looks, and is left behind where it waits for a
 * process that asks this one, which counts as gone: what it starts is seen as little as a process that
 * starts right after the answer. The thread is left behind, too, where it waits for 10 seconds for any
 * one process; what is known of that until then is what is seen of it, with -ETIMEDOUT.
 *
 * Looks further into an influxd (server.h) are made by whoever wants them, and may wait.
 *
 * The functions may be called in any thread.
 */
#ifndef INFLUXFS_INFLUX_PROCESSES_H
#define INFLUXFS_INFLUX_PROCESSES_H

#include "store/influx/process.h"

enum processes_want {
    PROCESSES_NAMES,
    PROCESSES_FILES /* of an influxd all, of others those that they may write to */
};

struct process_seen {
    struct process
        process; /* still open for an influxd, to be looked into further; else closed, dir is 0 */
    struct process_file *files;
    size_t n;
    int error; /* why these are not all files, -errno; or 0. -ETIMEDOUT: more is not known, and it is closed */
};

struct processes {
    struct process_seen *list;
    size_t n;
};

/* 0, or -errno: /proc cannot be read, -EAGAIN where no thread can be had. *out is freed by
 * processes_free, after an error as well. */
int processes_read(enum processes_want want, struct processes *out);
void processes_free(struct processes *p);

/* A process that is not to be looked at. */
struct process_away {
    pid_t pid;
    const struct process_seen *known; /* of it; NULL: it counts as gone */
    struct process_away *prev, *next;
};

/* A process asks this one, a FUSE daemon, for something that may wait for looks at processes; and it has
 * been answered. *a is the caller's, and stays where it is between the two. */
void processes_asked_by(struct process_away *a, pid_t pid);
void processes_answered(struct process_away *a);

#endif
