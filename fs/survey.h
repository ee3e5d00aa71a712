/* SPDX-License-Identifier: MIT */
/* What takes a while to find out of the store: what it holds, and whether an influxd uses it. A
 * thread looks when somebody asks, at most every few seconds, so that no reader of a report waits
 * for long for a slow disk, and several share one look. Safe in any thread. */
#ifndef INFLUXFS_FS_SURVEY_H
#define INFLUXFS_FS_SURVEY_H

#include "store/program/report.h"

struct survey;

int survey_new(const struct store_paths *paths, struct survey **out); /* paths are copied */
void survey_free(struct survey *s);                                   /* NULL is allowed */

/* Fills in contents and in_use of the report, as they were within the last few seconds. If the disk
 * takes longer than two seconds: as seen last, or else unknown. -EINTR when interrupted; -ENOMEM. */
int survey_get(struct survey *s, bool (*interrupted)(void *arg), void *arg, struct report *out);

#endif
