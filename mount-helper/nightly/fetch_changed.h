/* SPDX-License-Identifier: MIT */
/* Whether a fetch takes back what was written after the archive: where the store that is here is the one
 * that was archived. */
#ifndef INFLUXFS_NIGHTLY_FETCH_CHANGED_H
#define INFLUXFS_NIGHTLY_FETCH_CHANGED_H

#include "mount-helper/nightly/receipt.h"
#include "store/influxsnap/snap.h"
#include "store/restore/restore_request.h"

/* If this store has the id of the archived one, and of what is replaced a file of points has changed since:
 * what that means, in *words. Files of _internal, which influxd writes by itself, do not count; one that
 * was only compacted does. -errno with a message: a folder cannot be read. */
int fetch_changed(const struct snap *s, const struct receipt *c, const struct restore_request *q,
                  struct err *words, struct err *e);

#endif
