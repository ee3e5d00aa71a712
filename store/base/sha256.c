/* SPDX-License-Identifier: MIT */
#include "store/base/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
    EVP_MD_CTX *ctx;
    EVP_MD *md;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->ctx = EVP_MD_CTX_new();
    s->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!s->ctx || !s->md || EVP_DigestInit_ex(s->ctx, s->md, NULL) != 1) {
        sha256_free(s);
        return NULL;
    }
    return s;
}

void sha256_reset(struct sha256 *s)
{
    EVP_DigestInit_ex(s->ctx, s->md, NULL);
}

void sha256_add(struct sha256 *s, const void *buf, size_t n)
{
    EVP_DigestUpdate(s->ctx, buf, n);
}

void sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES])
{
    EVP_DigestFinal_ex(s->ctx, out, NULL);
}

void sha256_free(struct sha256 *s)
{
    if (!s)
        return;
    EVP_MD_CTX_free(s->ctx);
    EVP_MD_free(s->md);
    free(s);
}

void sha256_hex(const uint8_t sum[SHA256_BYTES], char out[SHA256_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[SHA256_HEX] = 0;
}

int sha256_of(const void *buf, size_t n, char out[SHA256_HEX + 1])
{
    uint8_t sum[SHA256_BYTES];
    struct sha256 *s = sha256_new();
    if (!s)
        return -ENOMEM;
    sha256_add(s, buf, n);
    sha256_end(s, sum);
    sha256_free(s);
    sha256_hex(sum, out);
    return 0;
}
