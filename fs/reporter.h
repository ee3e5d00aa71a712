/* SPDX-License-Identifier: MIT */
/* Gathers reports of the mount (store/program/report.h) and prints them, in a thread of its own:
 * gathering asks the disks, and a reader who is killed meanwhile must not be held. */
#ifndef INFLUXFS_FS_REPORTER_H
#define INFLUXFS_FS_REPORTER_H

#include "fs/fs.h"
#include "store/program/report.h"

struct reporter;

int reporter_new(struct fs *fs, struct reporter **out);
void reporter_free(struct reporter *r); /* NULL is allowed; no reader may wait */

/* What there is to tell now, by one of the printers: memory for the caller. -EINTR when the reader
 * is interrupted, -ENOMEM, or an error of the printer. */
int reporter_ask(struct reporter *r, int (*print)(const struct report *report, char **text),
                 bool (*interrupted)(void *arg), void *arg, char **text);

#endif
