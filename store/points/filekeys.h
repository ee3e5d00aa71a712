/* SPDX-License-Identifier: MIT */
/*
 * The keys of a measurement in the TSM files of a shard, side by side: in the order of composite
 * keys (serieskey.h), and those of equal keys in the order of the files.
 *
 * Memory: two windows for each file that has such keys, and of tombstones as much as the query says
 * (deletes.h). One thread at a time.
 */
#ifndef INFLUXFS_POINTS_FILEKEYS_H
#define INFLUXFS_POINTS_FILEKEYS_H

#include "store/points/stream_types.h"

struct filekeys;

/* A key of a file; valid until filekeys_next, its deletes until the next filekeys_at. */
struct filekey {
    struct tsmfile_key key;
    struct tsmfile *file;
    const struct key_deletes *deletes; /* of this key in this file; NULL: none */
};

/* name: the measurement, escaped; it must outlive the result. Errors: -EBADMSG, with the file and
 * the cause in *e, for damage, unless the gaps allow it: then the rest of the file is left out;
 * -EINTR; -ENOMEM; as capture_read. */
int filekeys_open(const struct stream_query *q, struct slice name, struct filekeys **out,
                  struct err *e);
void filekeys_free(struct filekeys *k);
static inline void filekeys_freep(struct filekeys **k)
{
    filekeys_free(*k);
}

/* The composite key of the current one; p NULL: there are no more. Errors as filekeys_open. */
struct slice filekeys_head(const struct filekeys *k);
int filekeys_at(struct filekeys *k, struct filekey *out, struct err *e);

/* Moves past the current one. Errors as filekeys_open. */
int filekeys_next(struct filekeys *k, struct err *e);

/* A second one over the same files, which must be freed before the first. It has no keys yet. */
int filekeys_second(const struct filekeys *of, struct filekeys **out, struct err *e);

/* Moves a second one to the keys that its first still has, of these to those that begin with
 * `prefix`, and of these to the first that is not before `least`. Damage that the gaps allow is not
 * told: the first one meets it as well. */
int filekeys_search(struct filekeys *k, struct slice prefix, struct slice least, struct err *e);

/*
 * Places: filekeys_note remembers where all files are now. They can be put down as bytes, as many
 * for each place, and later another one of the same query can go there.
 */
void filekeys_note(struct filekeys *k);
size_t filekeys_place_size(const struct filekeys *k);
void filekeys_noted(const struct filekeys *k, void *place);
int filekeys_go(struct filekeys *k, const void *place, struct err *e);

#endif
