/* SPDX-License-Identifier: MIT */
/* The part of a store that backup writes, if its options select one (--database and the like). */
#ifndef INFLUXFS_INFLUXSNAP_SELECTING_H
#define INFLUXFS_INFLUXSNAP_SELECTING_H

#include "store/influxsnap/snap.h"
#include "store/influxsnap/tarset.h"

/* Whether the options fit together. -EINVAL, with a message. */
int selecting_check(const struct options *o, struct err *e);

/* Whether the chain at path, which may be empty, is of the same part. -EEXIST, with what it is of. */
int selecting_check_chain(const struct options *o, const char *path, const struct tarset *chain,
                          struct err *e);

/* The tarball of the store as it is now, or of the part that is selected, of which alone the files are
 * held open then. goes_on: it goes on with a chain, in which a database that is excluded may have been
 * dropped since. The caller owes one tarball_unref. Errors as snapshots_now, selected_new and
 * selected_check_excluded. */
int selecting_take(struct snap *s, bool goes_on, struct tarball **now, struct err *e);

#endif
