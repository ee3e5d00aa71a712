/* SPDX-License-Identifier: MIT */
/*
 * --keep=N: the archives of a store that stay on the remote, and the removal of the rest.
 *
 * Days are ordered by their names, never by the clock. The newest N days with an archive of the store
 * that can be restored (it is good, and so is all that it builds on) stay, with all that lies between
 * them; so does the day that has just been archived, and every run that one of these builds on. Of days
 * before them, the runs of this store go, by their receipts: first the receipt, so that what is half
 * removed is no archive, and then the objects that it names. While there are fewer than N such days, none
 * goes: what is damaged may be put back; and a day of which too much was gone (archive_judge.h) is none of
 * them. Other stores' runs, dumps, and runs whose receipt cannot be read stay; and so do runs of another
 * part of the store (--database), which are another job's to count.
 *
 * Nothing at all is removed (-ECANCELED, with the reason) where the listing of the remote looks wrong:
 * the run just made is not in it, or not good, or what a run that stays builds on is missing; nor while
 * it holds a day of the store that is later than today; nor without the store's lock.
 */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_KEEP_H
#define INFLUXFS_NIGHTLY_ARCHIVE_KEEP_H

#include "mount-helper/nightly/archive_place.h"

struct archive_kept {
    int32_t *kept, *removed; /* days of which runs stay, and of which runs went; the newest first */
    size_t nkept, nremoved;
};

/* keep > 0. made: the receipt that place->day has got just now. With place->dry_run it need not be
 * there, and nothing is removed, only told. The caller clears *out; after an error it tells what was done
 * until then. */
int archive_keep(const struct archive_place *place, const struct receipt *made, uint64_t keep,
                 struct archive_kept *out, struct err *e);
void archive_kept_clear(struct archive_kept *k);

#endif
