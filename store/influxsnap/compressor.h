/* SPDX-License-Identifier: MIT */
/* Bytes become compressed ones, piece by piece in memory. The same bytes give the same ones each
 * time: a gzip header bears no time. */
#ifndef INFLUXFS_INFLUXSNAP_COMPRESSOR_H
#define INFLUXFS_INFLUXSNAP_COMPRESSOR_H

#include "store/base/buffer.h"
#include "store/base/err.h"
#include "store/program/values.h"

struct compressor;

/* how: not COMPRESS_NOT. name is for messages, and is borrowed. -ENOMEM, -EIO. */
int compressor_open(enum compress how, const char *name, struct compressor **out, struct err *e);

/* Takes n more bytes. What comes of all so far is appended to *to, from time to time. -ENOMEM, -EIO:
 * it can only be closed then. */
int compressor_add(struct compressor *c, const void *buf, size_t n, struct buffer *to,
                   struct err *e);

/* Appends the rest. Errors likewise. */
int compressor_end(struct compressor *c, struct buffer *to, struct err *e);

void compressor_close(struct compressor *c); /* NULL is allowed */
static inline void compressor_closep(struct compressor **c)
{
    compressor_close(*c);
}

#endif
