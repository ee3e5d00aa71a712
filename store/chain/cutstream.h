/* SPDX-License-Identifier: MIT */
/* The whole store at a cut: the base with the numbers up to that cut applied, one file or folder after the
 * other, from the manifests on disk: memory does not grow with the store. A stream is used by one thread. */
#ifndef INFLUXFS_CHAIN_CUTSTREAM_H
#define INFLUXFS_CHAIN_CUTSTREAM_H

#include "store/chain/cutscan.h"

struct cutstream;

/* Takes over files[0..n), also on failure: a base, then cuts that each have the one before as parent,
 * each just opened. n may be 0: nothing. */
int cutstream_new(struct cutscan **files, size_t n, struct cutstream **out, struct err *e);
void cutstream_free(struct cutstream *s); /* NULL is allowed */
static inline void cutstream_freep(struct cutstream **s)
{
    cutstream_free(*s);
}

/* The next file or folder, sorted by cut_path_cmp, valid until the next call; NULL at the end. Errors
 * as cutscan_next. */
int cutstream_next(struct cutstream *s, const struct cut_entry **out, struct err *e);

/* Leaves out what comes before the path; or the folder, what comes before it, and what is below. */
int cutstream_seek(struct cutstream *s, const char *path, struct err *e);
int cutstream_skip(struct cutstream *s, const char *folder, struct err *e);

/* Goes on with the first one of all that is not before the path, forward or back. */
int cutstream_restart(struct cutstream *s, const char *path, struct err *e);

#endif
