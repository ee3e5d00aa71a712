/* SPDX-License-Identifier: MIT */
/*
 * What the remote holds of this store, or of the part that is archived, up to a day: the newest good
 * archive, and the chain that a number can go on with. Of a chain only the manifests are read, which are
 * at the beginning of its tars. On the way, leftovers are removed in each day that is looked at
 * (archive_clean.h), and a run that is not good is said, and counted.
 */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_PAST_H
#define INFLUXFS_NIGHTLY_ARCHIVE_PAST_H

#include "mount-helper/nightly/archive_place.h"
#include "store/influxsnap/tarset.h"

struct archive_past {
    bool others;               /* there are runs of other parts of the store */
    size_t bad;                /* runs that are not good, newer than the one that is */
    char run[RECEIPT_RUN + 1]; /* the latest RUN of the store that was seen; "": none */
    bool ahead;                /* a day of the store is later than today and place->day: */
    int32_t ahead_day;         /* the newest such */
    bool any;                  /* there is a good one, which had not shrunk: */
    enum receipt_form form;    /* its form, */
    int32_t day;               /* its day, */
    char **databases;          /* and the databases in it, */
    size_t ndatabases;

    struct tarset
        chain;       /* and what it builds on, itself included; n 0: none, or it is of no chain */
    int64_t numbers; /* increments of the chain */
    struct receipt_ref follows, base; /* for the receipt of one that goes on with the chain */
    bool shrunk; /* its last run had; what had not, before it, is what losses are measured by: */
    struct tarset before;               /* its chain; n 0: there is none */
    char compared_day[RECEIPT_DAY + 1]; /* of what losses are measured by */
};

/* The chain by which losses are measured. */
static inline const struct tarset *archive_past_compared(const struct archive_past *p)
{
    return p->shrunk ? &p->before : &p->chain;
}

/* What is wanted: the newest good archive; or also its chain, if it is of one; or the newest that is. */
enum archive_past_want { PAST_NEWEST, PAST_COMPARED, PAST_CHAIN };

/* Looks at place->day and the days before it. The caller clears *out, also on failure. Errors of the
 * remote; -ENOMEM. A chain that is not whole is none, which is said. */
int archive_past_look(const struct archive_place *place, enum archive_past_want want,
                      struct archive_past *out, struct err *e);
void archive_past_clear(struct archive_past *p);

#endif
