/* SPDX-License-Identifier: MIT */
/* Puts another meta.db in the place of the store's: whole or not at all, and the old one is kept. */
#ifndef INFLUXFS_INFLUXSNAP_METAFILE_H
#define INFLUXFS_INFLUXSNAP_METAFILE_H

#include "store/influx/paths.h"

#include <stddef.h>

struct metafile {
    char *bytes; /* NULL: there is none */
    size_t n;
};

/* Reads the meta.db of the store; a missing one, or a missing folder, is no error. The caller
 * releases *out with metafile_clear. */
int metafile_read(const struct store_paths *p, struct metafile *out, struct err *e);
void metafile_clear(struct metafile *f);

/* Writes n bytes as META/meta.db, synced and renamed, for the owner and with the mode of the old one,
 * else for the owner of the data folder; META is made if it is missing. The old one, if any, is kept
 * as META/meta.db.before-rebuild or, where that is there, with -2, -3, … after it: *kept is its
 * path, for the caller to free. influxd must not run, and no restore: -EBUSY if meta.db is another one
 * than `old`. On failure meta.db is what it was. */
int metafile_replace(const struct store_paths *p, const struct metafile *old, const void *bytes,
                     size_t n, char **kept, struct err *e);

#endif
