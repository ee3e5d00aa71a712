/* SPDX-License-Identifier: MIT */
/* What was fetched, told; and whether it is there. */
#ifndef INFLUXFS_NIGHTLY_FETCH_TOLD_H
#define INFLUXFS_NIGHTLY_FETCH_TOLD_H

#include "mount-helper/nightly/fetch_days.h"
#include "store/restore/restore_request.h"

/* Whether the archive holds a database of this name, as far as a receipt can tell: it has odd names as
 * text only. */
bool fetch_told_holds(const struct receipt *c, const char *db);

/* Whether the databases that should have come are in this meta.db of the store: those that the archive
 * holds, or of these what was asked for. -ENOENT, with the names of those that are missing; -EBADMSG:
 * it cannot be read. */
int fetch_told_check(const struct fetch_found *f, const struct restore_request *asked,
                     const void *meta, size_t n, struct err *e);

/* Adds to j->json, or prints a line: the day, of which store, its form, its databases, which of them
 * came or, by a dry run, would come, of which point in time, and how many bytes. asked: NULL is the
 * whole. */
void fetch_told_result(struct nightjob *j, const struct fetch_found *f,
                       const struct restore_request *asked);

#endif
