/* SPDX-License-Identifier: MIT */
/* Shared by the encoders of a block's parts. Times, integers, floats and strings have a file each;
 * booleans are in tsmencode.c. What a buffer lacks memory for, it remembers. */
#ifndef INFLUXFS_INFLUX_TSMENCODE_INTERNAL_H
#define INFLUXFS_INFLUX_TSMENCODE_INTERNAL_H

#include "store/influx/tsmblock_internal.h"
#include "store/influx/tsmencode.h"

/* Numbers of 2^60 or more do not fit a word of simple8b. */
#define SIMPLE8B_MAX ((UINT64_C(1) << 60) - 1)

/* A block while it is encoded. */
struct encoder {
    const struct tsmblock *b;
    uint64_t *numbers; /* space for b->n of them */
    struct buffer *out;
};

/* Appends a big-endian number of eight bytes; one byte; a number in groups of seven bits, the
 * lowest first. */
void encoder_be64(struct encoder *x, uint64_t v);
void encoder_byte(struct encoder *x, uint8_t v);
void encoder_uvarint(struct encoder *x, uint64_t v);

/* Appends the numbers from `first` on, each at most SIMPLE8B_MAX, as words of simple8b. */
void encoder_words(struct encoder *x, size_t first);

/* Whether the numbers from 1 on are all the same. */
bool encoder_is_even(const struct encoder *x);

/* Each appends its part. */
void tsmencode_times(struct encoder *x);
void tsmencode_ints(struct encoder *x);
void tsmencode_floats(struct encoder *x);
void tsmencode_texts(struct encoder *x);

#endif
