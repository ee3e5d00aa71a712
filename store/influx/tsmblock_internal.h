/* SPDX-License-Identifier: MIT */
/* What the decoders of a block's parts share; there is a file for each: times, integers, floats and
 * strings, and booleans in tsmblock.c. tsmblock.h describes the formats. */
#ifndef INFLUXFS_INFLUX_TSMBLOCK_INTERNAL_H
#define INFLUXFS_INFLUX_TSMBLOCK_INTERNAL_H

#include "store/influx/bytes.h"
#include "store/influx/tsmblock.h"

/* The high four bits of the first byte of times and integers. */
enum encoding { ENCODING_RAW = 0, ENCODING_SIMPLE8B = 1, ENCODING_RLE = 2 };

#define ENCODING_ONLY 0x10 /* the first byte of floats, booleans and strings */

/* A block while it is decoded. */
struct decoder {
    struct tsmblock *b;
    const uint8_t *start;
    struct bytes in; /* what is left of the part at hand */
    struct err *e;
};

/* -EBADMSG, with the byte that d->in has come to. */
int decoder_bad(const struct decoder *d, const char *what);
int decoder_too_few(const struct decoder *d); /* values, for the times */

/* Room for n points and SIMPLE8B_SLACK, those that are there kept. 0 or -ENOMEM. */
int decoder_reserve(struct tsmblock *b, size_t n);

/* Makes d->b->n and the times of all of d->in, at least one. */
int tsmtimes_decode(struct decoder *d);

/* Each makes d->b->n values of the front of d->in. */
int tsmints_decode(struct decoder *d);
int tsmfloats_decode(struct decoder *d);
int tsmbools_decode(struct decoder *d);
int tsmtexts_decode(struct decoder *d);

#endif
