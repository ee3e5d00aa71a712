/* SPDX-License-Identifier: MIT */
/* Streams copied into restore/ of a mount (--into=FOLDER), as cp would, with the verdict that a
 * program's exit code would be. */
#ifndef INFLUXFS_NIGHTLY_FETCH_INTO_H
#define INFLUXFS_NIGHTLY_FETCH_INTO_H

#include "store/base/err.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/tarlook.h"
#include "store/restore/restore_request.h"

struct fetch_into;

/* folder: restore/ of a mount of influxfs, or a folder below it that asks for something, such as
 * restore/as/NEWDB. -EINVAL: it is none. Whether it can be written to is not asked. */
int fetch_into_open(const char *folder, struct fetch_into **out, struct err *e);
void fetch_into_close(struct fetch_into *f); /* NULL is allowed */

/* What the folder asks of a snapshot in it; NULL: that it takes the place of the store. */
const struct restore_request *fetch_into_request(const struct fetch_into *f);

/* The meta.db of the mounted store, as it is now. The caller frees *buf. */
int fetch_into_meta(const struct fetch_into *f, char **buf, size_t *n, struct err *e);

/* Writes one file of this name. 0: it was restored; or, a number, waits for what it builds on. What it
 * was refused with, with the reason of the mount's log: -EBUSY influxd uses the store, -EINVAL no
 * snapshot, -EBADMSG damaged, -ESTALE it does not fit; what `in` says; -EINTR. Nothing of it stays
 * then. */
int fetch_into_write(struct fetch_into *f, const char *name, const struct tar_stream *in,
                     struct meter *meter, struct err *e);

#endif
