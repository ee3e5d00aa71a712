/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4), by libcrypto. */
#ifndef INFLUXFS_BASE_SHA256_H
#define INFLUXFS_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX 64

struct sha256; /* a running sum; used by one thread at a time */

struct sha256 *sha256_new(void); /* NULL when out of memory */
void sha256_reset(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *buf, size_t n);
void sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES]); /* reset before using s again */
void sha256_free(struct sha256 *s);
static inline void sha256_freep(struct sha256 **s)
{
    sha256_free(*s);
}

/* Lower-case hexadecimal, NUL-terminated. */
void sha256_hex(const uint8_t sum[SHA256_BYTES], char out[SHA256_HEX + 1]);

/* The sum of n bytes at once, as hexadecimal. -ENOMEM. */
int sha256_of(const void *buf, size_t n, char out[SHA256_HEX + 1]);

#endif
