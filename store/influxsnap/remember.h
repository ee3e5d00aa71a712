/* SPDX-License-Identifier: MIT */
/* What a command did, for the history in the state folder (store/program/history.h). */
#ifndef INFLUXFS_INFLUXSNAP_REMEMBER_H
#define INFLUXFS_INFLUXSNAP_REMEMBER_H

#include "store/influxsnap/snap.h"
#include "store/program/history.h"

/* Writes down what has just ended and began at began_ns (monotonic): `end` without its times. The
 * store is looked up if the command has not opened it; where there is none, or no state folder that
 * this user may write to, nothing is remembered. What fails otherwise is a warning. */
void remember(struct snap *s, enum history_kind kind, int64_t began_ns,
              const struct history_entry *end);

/* How a command that exits with this code has ended. */
enum history_result remember_result(int code);

/* A path as it is to be remembered, in full and spelled in one way: who reads that is in another
 * folder, and the same thing has one name. The last name may be a link. In fresh memory; NULL when
 * out of memory. */
char *remember_path(const char *path);

#endif
