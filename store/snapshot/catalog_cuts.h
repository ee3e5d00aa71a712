/* SPDX-License-Identifier: MIT */
/* The catalogue of the files that cuts retain (store/chain): their checksums, by place. */
#ifndef INFLUXFS_SNAPSHOT_CATALOG_CUTS_H
#define INFLUXFS_SNAPSHOT_CATALOG_CUTS_H

#include "store/snapshot/catalog.h"

/* A file that a cut retains, by the numbers of its place, and its sum. */
struct catalog_retained {
    uint64_t serial;
    uint32_t seq;
    bool have_sum;
    uint8_t sum[SHA256_BYTES];
};

/* Fills in the sums that are known, where have_sum is false; remembers those where it is true. */
int catalog_get_retained(struct catalog *c, struct catalog_retained *files, size_t n,
                         struct err *e);
int catalog_put_retained(struct catalog *c, const struct catalog_retained *files, size_t n,
                         struct err *e);
/* Forgets the retained files with serials up to last for which keep says no. */
int catalog_forget_retained(struct catalog *c, uint64_t last,
                            bool (*keep)(void *ctx, uint64_t serial, uint32_t seq), void *ctx,
                            struct err *e);

#endif
