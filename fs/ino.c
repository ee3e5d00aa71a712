/* SPDX-License-Identifier: MIT */
#include "fs/ino.h"

uint64_t ino_hash(uint64_t hash, const void *p, size_t n)
{
    const unsigned char *c = p;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ c[i]) * 0x100000001b3;
    return hash;
}

ino_t ino_live(ino_t own, unsigned root)
{
    return own | (ino_t)(INO_IN_LIVE + root) << 60;
}

ino_t ino_hashed(enum ino_place place, uint64_t hash)
{
    return (hash & ((UINT64_C(1) << 60) - 1)) | (ino_t)place << 60;
}

ino_t ino_named(const char *name, size_t n)
{
    return INO_NAMED | (ino_hash(INO_HASH, name, n) & (INO_NAMED - 1));
}
