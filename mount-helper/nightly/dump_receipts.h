/* SPDX-License-Identifier: MIT */
/*
 * The dumps of a day that lie on the remote, by the receipts there, and the receipt of this run, which
 * takes the place of the older ones of this store: it begins with all that they name and that is
 * there. A dump's name stays the same, so receipts never name one that is being written anew: that
 * one is dropped, and what is left put, before; and it is added, and all put again, after that. Each
 * receipt that is put has a RUN of its own, so that one that cannot be put does not harm the one before.
 */
#ifndef INFLUXFS_NIGHTLY_DUMP_RECEIPTS_H
#define INFLUXFS_NIGHTLY_DUMP_RECEIPTS_H

#include "mount-helper/nightly/archived.h"
#include "mount-helper/nightly/putting.h"
#include "store/influx/store_id.h"

struct dump_place {
    const struct putting *to;
    const char *format; /* of containers */
    int32_t day;
};

struct dump_receipts {
    struct dump_place at;
    char *folder;                 /* such as "2016-06-11/2016-06-11/influxdb" */
    struct archived_day there;    /* as it was before */
    const struct receipt *newest; /* of this store in `there`; NULL: none */
    struct receipt now;           /* its objects by name */
    int64_t run_ns;               /* its RUN, or before that where to look for one that is free */
    char put[RECEIPT_RUN + 1];    /* RUN of the one that was put last; "": none */
    bool differs;                 /* see dump_receipts_differ */
    size_t nearlier;              /* objects that receipts of this store name, and that are there */
};

/* Looks at the day. What a receipt of this store names and is not there is a warning. began_ns: when
 * the run began. Errors of the remote; -ENOMEM. The caller clears *out, also on failure. */
int dump_receipts_open(const struct dump_place *at, const char store[STORE_ID + 1],
                       int64_t began_ns, struct dump_receipts *out, struct err *e);
void dump_receipts_clear(struct dump_receipts *d);

/* Whether an object of this name and size was there. */
bool dump_receipts_has(const struct dump_receipts *d, const char *name, uint64_t size);

/* Of this store; NULL: none. Valid until the receipt is changed. */
const struct receipt_object *dump_receipts_find(const struct dump_receipts *d, const char *name);

/* The receipt of another store that names this object with other bytes; NULL: none. sha256 NULL: with
 * any bytes. */
const char *dump_receipts_of_others(const struct dump_receipts *d, const char *name,
                                    const char *sha256);

/* The receipt of another store that names this object, or that cannot be read and may name it; NULL:
 * none. */
const char *dump_receipts_shared(const struct dump_receipts *d, const char *name);

/* -EEXIST: an object of this name is the dump of something else than `what`, or of another store. */
int dump_receipts_conflict(const struct dump_receipts *d, const char *name, const char *what,
                           const char *sha256, struct err *e);

/* Changes the receipt. -ENOMEM. A text is added once. */
void dump_receipts_drop(struct dump_receipts *d, const char *name);
int dump_receipts_add(struct dump_receipts *d, const struct put_object *o, const char *what,
                      struct err *e);
int dump_receipts_left_out(struct dump_receipts *d, const char *words, struct err *e);
int dump_receipts_keep_left_out(struct dump_receipts *d, struct err *e); /* of older receipts */
int dump_receipts_database(struct dump_receipts *d, const char *db, struct err *e);

/* Whether the receipt says another thing than the one that lies there. */
bool dump_receipts_differ(const struct dump_receipts *d);

/* Uploads the receipt, and removes those whose place it takes; without objects it only does the
 * latter, and folders that are empty then go too. */
int dump_receipts_put(struct dump_receipts *d, struct err *e);

#endif
