/* SPDX-License-Identifier: MIT */
/* Shared by remeta.c and remeta_span.c: spans of time. */
#ifndef INFLUXFS_REWRITE_REMETA_INTERNAL_H
#define INFLUXFS_REWRITE_REMETA_INTERNAL_H

#include "store/rewrite/remeta.h"

/* Shards whose times overlap: n from `first` on. */
struct remeta_cluster {
    const struct remeta_shard *first;
    size_t n;
    int64_t min, max;
};

/* Where a group ends and the next begins, before < boundary <= next: at a round time. */
int64_t remeta_boundary(int64_t before, int64_t next, int64_t length);

/* The shard duration that suits most of the clusters of a policy; *fit: how many. */
int64_t remeta_guess(const struct remeta_cluster *list, size_t n, size_t *fit);

#endif
