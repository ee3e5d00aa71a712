/* SPDX-License-Identifier: MIT */
/*
 * The days on a remote, the runs of each, and which of them are good.
 *
 * A run is judged without reading its objects: its receipt is whole, belongs to its name and to its
 * place, and each of its objects lies there with its size. Nothing is judged by a listing that
 * cannot be read: an error of the remote is an error here (remote.h), never an empty day.
 */
#ifndef INFLUXFS_NIGHTLY_ARCHIVED_H
#define INFLUXFS_NIGHTLY_ARCHIVED_H

#include "mount-helper/nightly/dayname.h"
#include "mount-helper/nightly/receipt.h"
#include "mount-helper/nightly/remote.h"

/* The days that have a container, the newest first; the caller frees *days. A remote that is not
 * there yet has none. */
int archived_days(struct remote *r, const char *format, int32_t **days, size_t *n, struct err *e);

struct archived_run {
    int32_t day;             /* of its place */
    char name[RECEIPT_NAME]; /* of its receipt; STORE and RUN are in it (receipt_is_name) */
    int code;                /* 0: good; -EBADMSG: not, and this is why: */
    struct err why;
    bool known;             /* the receipt could be read and is that of its name and place: */
    struct receipt receipt; /* else empty */
};

struct archived_day {
    int32_t day;
    struct archived_run *runs; /* good or not; by RUN, the newest first */
    size_t n;
    struct remote_list list; /* what the listing of the folder shows */
};

/* Looks at a branch of a day (DAYNAME_SHARDS). store: whose runs, its first 8 digits (more may
 * follow); "": all. A listing may be older than the objects: where it shows something of a run, and
 * not its receipt, the receipt is asked for. The caller clears *out. -ENOENT: the folder is not there. */
int archived_look(struct remote *r, const char *format, int32_t day, const char *branch,
                  const char *store, struct archived_day *out, struct err *e);
void archived_day_clear(struct archived_day *d);

/* Whether a run that was looked at needs the object: it is its receipt, its sums, or named in it. Of
 * a receipt that is not known, all that bears its STORE-RUN counts. What legacy names such a receipt
 * had cannot be told. */
bool archived_needs(const struct archived_day *d, const char *name);

#define ARCHIVED_CHAIN_MAX 4096

/* A run with what it builds on. */
struct archived_chain {
    struct archived_run *at; /* the full one first */
    size_t n;
};

/* The chain that ends with a run of DAYNAME_SHARDS; a full or legacy one is alone. Each step goes to an
 * earlier run of the same store, whose id is the parent, and whose number is one less. The caller
 * clears *out. -ESTALE: one of them is not there or not good, or does not fit; the message names it. */
int archived_chain(struct remote *r, const char *format, const struct archived_run *last,
                   struct archived_chain *out, struct err *e);
void archived_chain_clear(struct archived_chain *c);

#endif
