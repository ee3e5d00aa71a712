/* SPDX-License-Identifier: MIT */
/* The catalogue of what is found in the files of a store, for as long as they do not change. */
#ifndef INFLUXFS_SNAPSHOT_CATALOG_NOTES_H
#define INFLUXFS_SNAPSHOT_CATALOG_NOTES_H

#include "store/snapshot/catalog.h"

#define CATALOG_STAMP 8

/* A file's note: some bytes, which the caller of catalog_get_notes frees. A help and no more: when
 * there are too many notes all are forgotten. */
struct catalog_note {
    const char *path;              /* as in catalog_file */
    uint64_t stamp[CATALOG_STAMP]; /* what the bytes depend on; the first is the file's index */
    bool known;                    /* the bytes were remembered */
    void *bytes;                   /* NULL: there are none */
    size_t n;
};

/* Fills in known, bytes and n where something is remembered of a file with this stamp. */
int catalog_get_notes(struct catalog *c, struct catalog_note *notes, size_t n, struct err *e);
/* Remembers those with bytes that are not known yet, of files that have this index still. */
int catalog_put_notes(struct catalog *c, const struct catalog_note *notes, size_t n, struct err *e);

#endif
