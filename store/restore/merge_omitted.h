/* SPDX-License-Identifier: MIT */
/* The values that merges left out, since a field has another type in their shard (merge_types.h):
 * told once for each field and policy, however many shards there are. */
#ifndef INFLUXFS_RESTORE_MERGE_OMITTED_H
#define INFLUXFS_RESTORE_MERGE_OMITTED_H

#include "store/restore/composed.h"
#include "store/rewrite/merge_shard.h"

struct merge_omission {
    char *words; /* which field, which types */
    const char *db, *rp;
    int64_t start, end; /* of the shards */
    size_t shards;
};

struct merge_omitted {
    struct merge_omission *at;
    size_t n;
};

/* Adds what was left out of a shard with these times. db and rp are borrowed. -ENOMEM. */
int merge_omitted_add(struct merge_omitted *to, const struct merge_shard *m, const char *db,
                      const char *rp, int64_t start, int64_t end);

/* Adds a warning for each to the notes. -ENOMEM. */
int merge_omitted_tell(const struct merge_omitted *of, struct composed *to);

void merge_omitted_clear(struct merge_omitted *r);

#endif
