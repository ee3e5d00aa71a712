/* SPDX-License-Identifier: MIT */
/* A set of numbers, each with how often it was added. Zeroed before its first use. */
#ifndef INFLUXFS_BASE_IDSET_H
#define INFLUXFS_BASE_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idset {
    struct idset_slot *slots; /* a hash table; a power of two */
    size_t cap, used;
    uint64_t top; /* the highest number below 2^63 that was ever added */
};

/* false: out of memory, and nothing has changed. */
bool idset_add(struct idset *s, uint64_t id);

/* Takes back one adding; nothing happens if it is not there. */
void idset_drop(struct idset *s, uint64_t id);

bool idset_has(const struct idset *s, uint64_t id);

void idset_free(struct idset *s);

#endif
