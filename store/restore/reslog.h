/* SPDX-License-Identifier: MIT */
/* The log of restores: a file that is only appended to, or memory where there is no folder for it.
 * Any thread may add lines; each is one write(2). */
#ifndef INFLUXFS_RESTORE_RESLOG_H
#define INFLUXFS_RESTORE_RESLOG_H

#include <stdarg.h>

/* Opens `restore.log` in the folder; state_fd -1, or a file that cannot be opened: in memory.
 * Returns the descriptor, the caller's; -errno. */
int reslog_open(int state_fd);

/* Empties the log if it has grown past 8 MiB; to be called when a restore begins. */
void reslog_begin(int fd);

/* Adds a line: time, space, text. Control bytes are shown as '?'. */
void reslog_add(int fd, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

#endif
