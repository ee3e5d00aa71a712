/* SPDX-License-Identifier: MIT */
/*
 * The shards of a capture as TSM files alone (store/rewrite/settled.h), for all sets that are made
 * of it. A shard is made when it is first needed, into a file without a name, and kept while it is
 * used; of what is not used, the last ones that were, up to MADESHARDS_IDLE bytes. Counted by
 * reference; safe in any thread.
 */
#ifndef INFLUXFS_SETS_MADESHARDS_H
#define INFLUXFS_SETS_MADESHARDS_H

#include "store/points/shards.h"
#include "store/rewrite/settled.h"
#include "store/snapshot/catalog.h"

#define MADESHARDS_IDLE ((uint64_t)256 << 20)

struct madeshards;

/* Takes a reference to the capture. k: where sizes and CRCs are remembered, for as long as the
 * result; may be NULL. folder: where files without a name are made; NULL: io_temporary_folder. Errors
 * as shards_open. */
int madeshards_new(struct capture *c, struct catalog *k, const char *folder,
                   struct madeshards **out, struct err *e);
struct madeshards *madeshards_ref(struct madeshards *m);
void madeshards_unref(struct madeshards *m); /* NULL is allowed */

struct capture *madeshards_capture(const struct madeshards *m);
struct catalog *madeshards_catalog(const struct madeshards *m); /* may be NULL */
const struct shards *madeshards_list(const struct madeshards *m);

/* Whether the files of shard i are all in the capture as they are. */
bool madeshards_is_plain(const struct madeshards *m, size_t i);
/* As settled_digest, of shard i. */
int madeshards_digest(const struct madeshards *m, size_t i, uint8_t out[SHA256_BYTES],
                      struct err *e);

/* The files of shard i, made if need be; they stay until madeshards_put. Errors as settled_open. */
int madeshards_get(struct madeshards *m, size_t i, const struct tarball_reader *reader,
                   const struct settled **out, struct err *e);
void madeshards_put(struct madeshards *m, size_t i);

#endif
