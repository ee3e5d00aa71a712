/* SPDX-License-Identifier: MIT */
/* What a store held, as the manifests of a chain tell it together, and what was lost since. */
#ifndef INFLUXFS_INFLUXSNAP_CHAINSTATE_H
#define INFLUXFS_INFLUXSNAP_CHAINSTATE_H

#include "store/chain/cut_loss.h"
#include "store/snapshot/manifest.h"

struct chainstate_name {
    const char *name;
    const struct manifest_file *file; /* NULL: it is a folder */
};

/* Sorted by name; borrowed from the manifests. */
struct chainstate {
    struct chainstate_name *at;
    size_t n;
};

/* The state after chain[n - 1]. chain[0] is the full snapshot; each other member follows the one
 * before it. All must outlive *out, which the caller releases with chainstate_clear. -ENOMEM. */
int chainstate_read(const struct manifest *const chain[], size_t n, struct chainstate *out);
void chainstate_clear(struct chainstate *s);

/* What of `was` is gone in `now`, in the words of cuts. -ENOMEM. */
int chainstate_lost(const struct chainstate *was, const struct chainstate *now,
                    struct cut_lost *out);

#endif
