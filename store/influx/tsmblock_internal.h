/* SPDX-License-Identifier: MIT */
/* Shared by the decoders of a block's parts (tsmblock.h describes the formats). Times, integers,
 * floats and strings have a file each; booleans are in tsmblock.c. */
#ifndef INFLUXFS_INFLUX_TSMBLOCK_INTERNAL_H
#define INFLUXFS_INFLUX_TSMBLOCK_INTERNAL_H

#include "store/influx/bytes.h"
#include "store/influx/tsmblock.h"

/* The high four bits of the first byte of times and integers. */
enum encoding { ENCODING_RAW = 0, ENCODING_SIMPLE8B = 1, ENCODING_RLE = 2 };

#define ENCODING_ONLY 0x10                     /* the first byte of floats, booleans and strings */
#define FLOAT_END UINT64_C(0x7ff8000000000001) /* the NaN after the last float */

/* A block while it is decoded. */
struct decoder {
    struct tsmblock *b;
    const uint8_t *start;
    struct bytes in; /* the rest of the current part */
    struct err *e;
};

/* -EBADMSG, with the byte offset of d->in. */
int decoder_bad(const struct decoder *d, const char *what);
int decoder_too_few(const struct decoder *d); /* values, for the times */

/* Room for n points and SIMPLE8B_SLACK; existing points are kept. 0 or -ENOMEM. */
int decoder_reserve(struct tsmblock *b, size_t n);

/* Decodes d->b->n and the times, at least one, from all of d->in. */
int tsmtimes_decode(struct decoder *d);

/* Each decodes d->b->n values from the front of d->in. */
int tsmints_decode(struct decoder *d);
int tsmfloats_decode(struct decoder *d);
int tsmtexts_decode(struct decoder *d);

#endif
