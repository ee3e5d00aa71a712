/* SPDX-License-Identifier: MIT */
/*
 * Encodes a block of a TSM file, as tsmblock.h describes it and decodes it.
 *
 * Of the encodings those are chosen that influxd 1.6 to 1.12 choose when they flush their cache
 * (tsdb/engine/tsm1/timestamp.go, int.go, float.go, bool.go, string.go). Times: RLE if all
 * differences are the same, raw if one is 2^60 or more, else simple8b of the differences, divided by
 * the largest power of ten up to 10^12 that divides them all. Integers: RLE for three or more with
 * the same differences; raw if a difference, or the first integer, does not fit 60 bits with its
 * sign; else simple8b. Bytes are those of influxd, but that a run of 120 times the difference 1 takes
 * one word wherever it is, and that another snappy packs strings.
 */
#ifndef INFLUXFS_INFLUX_TSMENCODE_H
#define INFLUXFS_INFLUX_TSMENCODE_H

#include "store/base/buffer.h"
#include "store/influx/tsmblock.h"

/* The points of a block as influxd writes them. */
#define TSMENCODE_POINTS 1000

/* Appends the encoding of the points of *b, at least one and at most TSMBLOCK_MAX_POINTS, whose
 * times do not descend. A function of the points alone. -EINVAL: a float is NaN, which influxd
 * never stores: one of them marks the end of floats; -ENOMEM. Then *out holds what it held. */
int tsmencode_block(const struct tsmblock *b, struct buffer *out, struct err *e);

#endif
