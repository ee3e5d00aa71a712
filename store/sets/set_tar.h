/* SPDX-License-Identifier: MIT */
/* One archive of a set, read by the strict rules of store/restore/tar_strict.h; messages begin with
 * the name of the file. */
#ifndef INFLUXFS_SETS_SET_TAR_H
#define INFLUXFS_SETS_SET_TAR_H

#include "store/restore/tar_strict.h"
#include "store/sets/set.h"

struct set_tar;

/* Calls o->file, and later o->progress and o->stop. *o must stay as long. */
int set_tar_open(int folder, const char *name, const struct set_options *o, struct set_tar **out,
                 struct err *e);
void set_tar_free(struct set_tar *t); /* NULL is allowed */
static inline void set_tar_freep(struct set_tar **t)
{
    set_tar_free(*t);
}

/* As those of tar_strict.h. */
int set_tar_next(struct set_tar *t, struct tar_member *m, struct err *e);
ssize_t set_tar_data(struct set_tar *t, const void **buf, struct err *e);

/* After the last member: the bytes of the tar when it is not compressed. */
int set_tar_end(struct set_tar *t, uint64_t *bytes, struct err *e);

/* The file, if a member's bytes lie in it as they are; else -1. It stays the set_tar's. */
int set_tar_plain(const struct set_tar *t);

#endif
