/* SPDX-License-Identifier: MIT */
/*
 * The mark of a run: the object STORE-RUN.begun, which is the first that a run uploads, and the last
 * that it removes, after its receipt is there. So what a killed run has left is known:
 *
 *   mark, no receipt    the run is under way, or was killed: what bears its STORE-RUN, and the legacy
 *                       names that the mark lists, are not an archive
 *   mark, receipt       it was killed after its receipt; only the mark is left over
 *
 * One object of JSON and a newline, where names are files of a legacy set, which bear no STORE-RUN:
 *
 *   {"version":1,"store":ID,"host":TEXT,"run":RUN,"names":[NAME…]}
 *
 * Pure.
 */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_MARK_H
#define INFLUXFS_NIGHTLY_ARCHIVE_MARK_H

#include "mount-helper/nightly/receipt.h"

#define MARK_ENDING ".begun"
#define MARK_MAX (64u << 20) /* bytes of a mark that is read at all */

struct mark {
    char store[STORE_ID + 1];
    char run[RECEIPT_RUN + 1];
    char *host;
    char **names;
    size_t nnames;
};

/* Reads untrusted bytes. The caller clears *out, which is empty after an error. -EBADMSG: not a mark,
 * or one with names that no legacy set has; -ENOMEM. */
int mark_read(const void *text, size_t n, struct mark *out, struct err *e);
void mark_clear(struct mark *m);

/* Appends the text. -ENOMEM. */
int mark_text(const struct mark *m, struct buffer *out);

/* Of an object's name, STORE-RUN and '.' or '-' after it: that it is of this store (its digits; "": of
 * any), and its RUN; false: another kind of name. */
bool mark_owner(const char *name, const char *store, char run[RECEIPT_RUN + 1]);

#endif
