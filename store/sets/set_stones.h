/* SPDX-License-Identifier: MIT */
/*
 * The tombstones of a set, in a temporary file, and what those of newer runs say of older files.
 *
 * A tombstone is that of one TSM file. But when influxd deletes, it does so in all files that the
 * shard has then; and what an older run still has of the shard, in a file that influxd has compacted
 * into this one, was written before, since generations rise with time. So the tombstones of a newer
 * run count for each file that sorts before theirs and was not there any more: without that, a
 * restore of all runs would bring back what was deleted between them.
 */
#ifndef INFLUXFS_SETS_SET_STONES_H
#define INFLUXFS_SETS_SET_STONES_H

#include "store/sets/set_impl.h"

/* Keeps the next n bytes of a tombstone. */
int set_stones_add(struct set *s, const void *buf, size_t n, struct err *e);

/* The tombstone that was added last, of `size` bytes, whole: -EBADMSG if it is damaged. */
int set_stones_check(struct set *s, uint64_t size, const char *name, struct err *e);

/* The files of a shard, from `first` on and sorted by name: changes tombstones and adds some. */
int set_stones_spread(struct set *s, size_t first, struct err *e);

#endif
