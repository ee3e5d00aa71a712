/* SPDX-License-Identifier: MIT */
/* The last events: branches report them here, status.json shows them. Safe in any thread. */
#ifndef INFLUXFS_FS_STATUS_H
#define INFLUXFS_FS_STATUS_H

#include "store/program/report.h"
#include "store/snapshot/tarball.h"

struct status;

struct status *status_new(void); /* NULL when out of memory */
void status_free(struct status *s);

void status_failed(struct status *s, const char *what, const char *why); /* logged, too */
void status_captured(struct status *s, const struct tarball *t);
void status_read_whole(struct status *s, const char *what, const struct tarball *t);

/* The last events alone. */
void status_last(struct status *s, struct report_event *error, struct report_event *success);

/* A copy, whose capture the caller clears, also after -ENOMEM. */
int status_get(struct status *s, struct report_last *out);

#endif
