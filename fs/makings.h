/* SPDX-License-Identifier: MIT */
/* The makings of one generated file, which all its readers share: who reads near one is served by it;
 * for who does not, another is begun, at a mark nearby if there is one. They are few: the one that was
 * used least recently gives way. Safe in any thread. */
#ifndef INFLUXFS_FS_MAKINGS_H
#define INFLUXFS_FS_MAKINGS_H

#include "fs/making.h"

struct makings;

/* For a file that outlives them. NULL: out of memory. */
struct makings *makings_new(const struct generated *g);
void makings_free(struct makings *all); /* NULL is allowed; nobody reads */

/* Reads n bytes at off, all of which lie within the file, and has some more made for who goes on from
 * there. c: what the file is made of; it is the same for all readers, and stays until makings_free.
 * One thread at a time for each reader. Errors as making_take. */
int makings_read(struct makings *all, struct schema_cache *c, struct making_reader *r,
                 const struct tarball_reader *who, void *buf, size_t n, uint64_t off,
                 struct err *e);

/* The reader reads no more. */
void makings_leave(struct makings *all, struct making_reader *r);

#endif
