/* SPDX-License-Identifier: MIT */
/* Writes what ends in this mount into the history (store/program/history.h), in a thread of its
 * own, so that nobody waits for the disk. Safe in any thread, with any lock held. */
#ifndef INFLUXFS_FS_RECORDER_H
#define INFLUXFS_FS_RECORDER_H

#include "store/program/history.h"
#include "store/restore/account.h"

struct recorder;

/* state is the state folder, which must outlive it. */
int recorder_new(const char *state, struct recorder **out);
void recorder_free(struct recorder *r); /* once all is written; NULL is allowed */

/* Takes a copy of an entry, whose ended_ns is set here. What cannot be written is a warning in the
 * log. NULL: there is no state folder, and nothing is remembered. */
void recorder_add(struct recorder *r, enum history_kind kind, const struct history_entry *entry);

/* A restore of the session has ended (account_on_end): adds it, and counts a refused one. arg is a
 * struct fs. */
void recorder_restore_ended(void *arg, const struct account_end *end);

#endif
