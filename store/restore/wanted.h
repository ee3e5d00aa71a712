/* SPDX-License-Identifier: MIT */
/*
 * Which files of a snapshot a request needs (restore_request.h): the shards that it asks for, and
 * meta.db. The rest is verified as it passes, and takes no room on disk.
 *
 * Databases, policies and ids are known by the files' names; times of shards once meta.db is known,
 * which comes first in a tar of ours. Without it, shards of all times are wanted. Used by one thread.
 */
#ifndef INFLUXFS_RESTORE_WANTED_H
#define INFLUXFS_RESTORE_WANTED_H

#include "store/restore/restore_request.h"

#include <stddef.h>

struct wanted;

/* q is copied. NULL, or one that does not compose: all is wanted. -ENOMEM. */
int wanted_new(const struct restore_request *q, struct wanted **out);
void wanted_free(struct wanted *w); /* NULL is allowed */
static inline void wanted_freep(struct wanted **w)
{
    wanted_free(*w);
}

/* Whether times are asked for and meta.db is not known. Tells it the bytes; those that cannot be read
 * change nothing. */
bool wanted_needs_meta(const struct wanted *w);
void wanted_learn(struct wanted *w, const void *meta, size_t len);

/* name: of a file in a snapshot. */
bool wanted_has(const struct wanted *w, const char *name);

#endif
