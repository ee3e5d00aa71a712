/* SPDX-License-Identifier: MIT */
/* Which archive is fetched: of which store, of which day, and what it builds on. */
#ifndef INFLUXFS_NIGHTLY_FETCH_DAYS_H
#define INFLUXFS_NIGHTLY_FETCH_DAYS_H

#include "mount-helper/nightly/archived.h"
#include "mount-helper/nightly/nightjob.h"

struct fetch_found {
    int32_t day;
    char store[RECEIPT_STORE + 1];
    struct archived_chain chain; /* the full one first; a set is alone */
    bool older;                  /* than the wanted day, on which nothing was archived */
};

/*
 * The newest run of the newest day at or before j->day that has a receipt: of the store --store; else of
 * that whose archive was fetched last (fetch_last.h); else of j's own store, if it has one on such a day;
 * else of the only store that has, on whatever such day. Days without are passed over, with a warning.
 *
 * Nothing of another day, or another run, is taken in the place of what is not good; found->day and ->store
 * are set then. -ENOENT: nothing is archived; -EINVAL: of several stores, which are named; -EBADMSG: it is
 * damaged; -ESTALE: what it builds on is not there or not good; others as of remote.h. The caller clears
 * *out, also on failure.
 */
int fetch_days_find(struct nightjob *j, struct fetch_found *out, struct err *e);
void fetch_found_clear(struct fetch_found *f);

/* Whether the run that was found is not there any more: 1, and says which day can be had; 0: it is. As
 * archived_look. */
int fetch_days_gone(struct nightjob *j, const struct fetch_found *f, struct err *e);

/* After an archive has proved not good: says which is the newest good one of its store on a day before
 * it. spoilt: a run that is not good either, although it looks so: none that builds on it is named. */
void fetch_days_offer(struct nightjob *j, const struct fetch_found *bad,
                      const struct archived_run *spoilt);

#endif
