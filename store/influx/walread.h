/* SPDX-License-Identifier: MIT */
/*
 * Replays a segment of a write-ahead log that ends with a whole entry, as segments of captures do:
 * { type u8 | length u32 big-endian | raw snappy of that length }… (wal.h, walentry.h).
 *
 * The bytes are untrusted. Errors: -EBADMSG for anything but whole, good entries, with the file,
 * the offset and the cause in e, -ENOMEM, what the source says. Memory: the largest entry and
 * what it unpacks to, at most 22 times that.
 */
#ifndef INFLUXFS_INFLUX_WALREAD_H
#define INFLUXFS_INFLUX_WALREAD_H

#include "store/influx/source.h"
#include "store/influx/walentry.h"

/* Hands everything in it to the visitor, in order; what that returns if it is not 0 ends the
 * reading and is returned. */
int walread(const struct source *s, const struct walentry_visitor *v, struct err *e);

#endif
