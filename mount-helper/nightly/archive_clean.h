/* SPDX-License-Identifier: MIT */
/*
 * What runs that were killed have left, in a day that is looked at: objects of this store that no
 * receipt names. They are removed, the mark last, so that a kill in the middle is no different from the
 * one before it. Where the remote refuses that, it is said, and place->unclean is set: a user who may
 * not remove anything can still archive.
 *
 * Whose they are is told by names alone: STORE-RUN, and the legacy names in this store's marks
 * (archive_mark.h) that no receipt of any store names. All else stays. That a run has no receipt is what
 * the remote says when it is asked for that object (archived_look), not its listing, which may be older;
 * and what place->made has archived is never taken for a leftover. The caller has the store's lock (else
 * place->unlocked), so no other run of the store is under way on this host. A copy of its state folder on
 * another host would have the same id: what a mark of another host names stays for a day from its RUN on.
 */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_CLEAN_H
#define INFLUXFS_NIGHTLY_ARCHIVE_CLEAN_H

#include "mount-helper/nightly/archive_mark.h"
#include "mount-helper/nightly/archive_place.h"

/* As archived_look at the archives of a day, of the store or (all) of every one, after leftovers have
 * been removed; of a dry run, or without the lock, without removing any. */
int archive_clean_look(const struct archive_place *p, int32_t day, bool all,
                       struct archived_day *out, struct err *e);

/* Takes a run back that the day was seen to hold: marks it, then removes its receipt, its objects but
 * those that another receipt names, its mark, and folders and container if they are empty then. Killed
 * anywhere, it is no archive any more, and archive_clean_look does the rest. */
int archive_clean_take_back(const struct archive_place *p, const struct archived_day *d,
                            const struct archived_run *run, struct err *e);

/* Uploads and removes the mark of a run, which receipt tells; names of a legacy set. */
int archive_clean_mark(const struct archive_place *p, const struct receipt *of, char **names,
                       size_t n, struct err *e);
int archive_clean_unmark(const struct archive_place *p, const struct receipt *of, struct err *e);

#endif
