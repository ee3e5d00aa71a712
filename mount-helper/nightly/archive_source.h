/* SPDX-License-Identifier: MIT */
/*
 * What a run uploads: objects made of one capture, which is held until the end. Any byte of them can be
 * read at any time, any number of times, and is the same each time; nothing is stored.
 *
 *   full          STORE-RUN-full.tar      a tar above the size of a part is cut in pieces
 *   incremental   STORE-RUN-N.tar         with .000, .001, … after the name; N: the number
 *   legacy        meta.NN, DB.RP.NNNNN.NN
 *
 * One thread.
 */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_SOURCE_H
#define INFLUXFS_NIGHTLY_ARCHIVE_SOURCE_H

#include "mount-helper/nightly/archive_past.h"
#include "mount-helper/nightly/remote.h"
#include "store/chain/cut_loss.h"
#include "store/influxsnap/snap.h"

struct archive_source;

/* What is wanted of a capture. */
struct archive_wish {
    enum receipt_form form;          /* incremental: a full one if nothing is there to go on with */
    const struct archive_past *past; /* what lies there */
    const struct receipt *receipt;   /* its store and run make the names of tars */
    uint64_t part_size;              /* bytes, above 0 */
};

/* Captures the store of s, which has been opened with SNAP_SNAPSHOTS. Errors of the capture, such as
 * -EIO with the reason. */
int archive_source_new(struct snap *s, const struct archive_wish *wish, struct archive_source **out,
                       struct err *e);
void archive_source_free(struct archive_source *s); /* before the snap is closed; NULL is allowed */

/* Makes a legacy set, as the run NN of its folder; without this, there are no objects. Errors of
 * madeset_new and madeset_size. */
int archive_source_make_set(struct archive_source *s, unsigned nn, struct err *e);

struct capture *archive_source_capture(const struct archive_source *s); /* all that is selected */
/* What was lost since the chain, by the notion of cuts; NULL: no chain is there. */
const struct cut_lost *archive_source_lost(const struct archive_source *s);
/* Lines on what a legacy set lacks; counts as madeset_lack's. */
size_t archive_source_lacks(const struct archive_source *s);
const char *archive_source_lack(const struct archive_source *s, size_t i, bool *counts);

/* Fills in what the receipt says of the snapshot: form, id, parent, created, number, follows, base,
 * databases. -EBADMSG: meta.db cannot be read; -ENOMEM. */
int archive_source_tell(const struct archive_source *s, struct receipt *into, struct err *e);

/* The objects, in the order of their bytes. None: nothing has changed. */
size_t archive_source_count(const struct archive_source *s);
uint64_t archive_source_bytes(const struct archive_source *s); /* of all */
/* Object i: its name, which lives as long as s or, of a piece, until the next call; and its bytes, until
 * another one is opened. */
const char *archive_source_name(struct archive_source *s, size_t i);
int archive_source_open(struct archive_source *s, size_t i, struct remote_source *out,
                        struct err *e);

#endif
