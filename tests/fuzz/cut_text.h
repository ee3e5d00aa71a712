/* SPDX-License-Identifier: MIT */
/* Manifests of cuts for fuzz targets: a first byte says how the lines after it are sealed. */
#ifndef INFLUXFS_TESTS_FUZZ_CUT_TEXT_H
#define INFLUXFS_TESTS_FUZZ_CUT_TEXT_H

#include "store/base/sha256.h"
#include "tests/fuzz/fuzz.h"

enum { CUT_AS_IT_IS, CUT_VERSION_1, CUT_VERSION_2 };

/* A manifest of these lines, sealed: no change of a byte would ever find a seal. The caller frees it. */
static inline char *cut_text(const uint8_t *data, size_t size, size_t *len)
{
    const int how = size ? data[0] % 3 : CUT_AS_IT_IS;
    const size_t n = size ? size - 1 : 0;
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1], *text = malloc(n + 200);
    must(text != NULL);
    *len = how == CUT_AS_IT_IS ? 0 : (size_t)sprintf(text, "influxfs-cut %d\n", how);
    if (n)
        memcpy(text + *len, data + 1, n);
    *len += n;
    if (how != CUT_AS_IT_IS) {
        struct sha256 *h = sha256_new();
        must(h != NULL);
        sha256_add(h, text, *len);
        sha256_end(h, sum);
        sha256_free(h);
        sha256_hex(sum, hex);
        *len += (size_t)sprintf(text + *len, "end %s\n", hex);
    }
    text = realloc(text, *len + 1); /* so that a read behind it is seen */
    must(text != NULL);
    text[*len] = 0;
    return text;
}

#endif
