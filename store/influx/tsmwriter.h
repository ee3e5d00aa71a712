/* SPDX-License-Identifier: MIT */
/*
 * Writes values as TSM files: blocks with their CRCs, the index, the footer (tsmfile.h has the
 * format), in the encodings and block sizes that influxd chooses (tsmencode.h).
 *
 * Keys must ascend strictly, bytewise, and the values of a key by time. One file holds up to 65,535
 * blocks of a key, and about as many bytes as are said; what follows goes into a further file, where
 * a key that was cut goes on. A file begins with its first block: without a value there is none.
 *
 *   tsmwriter_new(&output, folder, &w, e);
 *   tsmwriter_key(w, key, VALUE_FLOAT, e);      for each key
 *   tsmwriter_value(w, time, &value, NULL, e);  for each value
 *   tsmwriter_finish(w, e);
 *
 * The bytes are a function of what is written. Memory: one block, the entries of one key, and up to
 * 4 MiB of the index, whose rest waits in a nameless file. One thread at a time. After an error
 * only tsmwriter_free may follow.
 */
#ifndef INFLUXFS_INFLUX_TSMWRITER_H
#define INFLUXFS_INFLUX_TSMWRITER_H

#include "store/base/err.h"
#include "store/influx/serieskey.h"
#include "store/influx/value.h"

#include <stdint.h>

/* Where influxd begins another file (tsdb/engine/tsm1/compact.go). */
#define TSMWRITER_FILE_SIZE (UINT64_C(2) << 30)

/* Where the bytes go. Each function returns 0, or -errno with a message, which ends the writing. */
struct tsmwriter_output {
    /* File i, from 0, begins; files follow each other. */
    int (*begin)(void *ctx, unsigned i, struct err *e);
    /* Appends to the file. */
    int (*write)(void *ctx, const void *buf, size_t n, struct err *e);
    /* The file is complete, and this large in bytes. */
    int (*end)(void *ctx, uint64_t size, struct err *e);
    void *ctx;
    uint64_t file_size; /* the size at which another file is begun; UINT64_MAX: never */
};

struct tsmwriter;

/* *output is copied. folder: a descriptor, the caller's, of a folder in which nameless files can be
 * made. -ENOMEM. */
int tsmwriter_new(const struct tsmwriter_output *output, int folder, struct tsmwriter **out,
                  struct err *e);
/* What was written so far is the caller's to throw away. NULL is allowed. */
void tsmwriter_free(struct tsmwriter *w);
static inline void tsmwriter_freep(struct tsmwriter **w)
{
    tsmwriter_free(*w);
}

/* What follows is of this composite key, of 1 to 65,535 bytes, which is copied. A key that gets no
 * value is not in the file. -EINVAL: the key does not come after the one before it, or is too long
 * (errors name it). */
int tsmwriter_key(struct tsmwriter *w, struct slice key, enum value_type type, struct err *e);

/* A value of the key; text is where a string's s.off counts from (else ignored). Blocks have 1000
 * values, as influxd's, and fewer where strings are so long that they take 16 MiB. -EINVAL: the time
 * is not after that of the value before; the float is NaN, which TSM files cannot hold. */
int tsmwriter_value(struct tsmwriter *w, int64_t time, const union value *v, const char *text,
                    struct err *e);

/* A whole block of the key, of any number of points, not looked into: its n bytes without the CRC, as
 * in another TSM file or by tsmencode.h, and its first and last time. -EINVAL: it begins before the
 * end of what was written of the key. */
int tsmwriter_block(struct tsmwriter *w, const void *block, size_t n, int64_t min, int64_t max,
                    struct err *e);

/* Writes what is left, and ends the last file. */
int tsmwriter_finish(struct tsmwriter *w, struct err *e);

#endif
