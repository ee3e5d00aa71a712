/* SPDX-License-Identifier: MIT */
/* The rules for making cuts. */
#ifndef INFLUXFS_CHAIN_CUT_RULES_H
#define INFLUXFS_CHAIN_CUT_RULES_H

#include "store/snapshot/capture.h"

struct cut_rules {
    const char *const *exclude; /* names of databases that are left out */
    size_t nexclude;
    uint64_t reserve_bytes; /* no cut is made if the state folder's disk has less free space */
    double reserve_part;    /* the same as a part of the disk's size, 0 to 1; both must hold */
    bool guard;             /* a cut that lost more than guard_part of the store is not folded */
    double guard_part;      /* until the loss is accepted */
    /* Called for each file as soon as it is retained; may be NULL. */
    void (*file)(void *arg, const char *path, uint64_t size, bool linked);
    /* Called with the captured store, changed or not; may be NULL. */
    void (*captured)(void *arg, const struct capture *c);
    void *arg;
};

/* The space that is to stay free on a disk of this size. */
static inline uint64_t cut_reserve(const struct cut_rules *r, uint64_t disk_bytes)
{
    uint64_t part = (uint64_t)((double)disk_bytes * r->reserve_part);
    return part > r->reserve_bytes ? part : r->reserve_bytes;
}

#endif
