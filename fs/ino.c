/* SPDX-License-Identifier: MIT */
#include "fs/ino.h"

uint64_t ino_hash(uint64_t hash, const void *p, size_t n)
{
    const unsigned char *c = p;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ c[i]) * 0x100000001b3;
    return hash;
}
