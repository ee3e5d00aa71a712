/* SPDX-License-Identifier: MIT */
/*
 * One process, seen through /proc: its name, open files, arguments and environment.
 *
 * A process may vanish at any moment: then functions return -ESRCH. -EACCES or -EPERM means no
 * permission to inspect it. A struct process is used by one thread at a time.
 */
#ifndef INFLUXFS_INFLUX_PROCESS_H
#define INFLUXFS_INFLUX_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct process {
    int dir; /* /proc/PID; of a process whose first thread has ended: /proc/PID/task/TID */
    pid_t pid;
    char name[64];   /* comm: what ps shows, cut to 15 bytes for programs */
    bool is_influxd; /* by its name, or by the file that it runs */
};

/* Opens entry pid (a decimal name) of the /proc open at proc; is_influxd is by its name alone. -ESRCH also
 * for zombies, which hold no files. Release with process_close. */
int process_open(int proc, const char *pid, struct process *out);
void process_close(struct process *p);

/* Whether the file that it runs is named influxd. */
bool process_runs_influxd(const struct process *p);

/* Whether it still exists and is no zombie. */
bool process_is_alive(const struct process *p);

/* A regular file or folder that a process holds. */
struct process_file {
    dev_t dev;
    ino_t ino;
    bool is_mapped;   /* seen as a mapping; else as a descriptor */
    bool is_writable; /* a descriptor open for writing, or a shared mapping that may be written */
};

/* Calls fn for each file; a negative result ends the loop and is returned. With writable_only,
 * files open only for reading are left out cheaply. No file system is asked (statx with
 * AT_STATX_DONT_SYNC): a FUSE daemon may inspect processes that use its own mount. */
int process_files(const struct process *p, bool writable_only,
                  int (*fn)(void *arg, const struct process_file *f), void *arg);

/* Whether it holds a descriptor of a file of this name, in any folder. */
bool process_holds_name(const struct process *p, const char *name);

/* Reads a file of its /proc folder ("cmdline", "environ", up to 4 MiB) into fresh memory, a NUL
 * appended (not counted). *buf belongs to the caller (free). */
int process_read(const struct process *p, const char *file, char **buf, size_t *len);

#endif
