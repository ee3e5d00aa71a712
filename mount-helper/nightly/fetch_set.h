/* SPDX-License-Identifier: MIT */
/* The files of a legacy set, as object storage has them, as one tar: what lies around their bytes. */
#ifndef INFLUXFS_NIGHTLY_FETCH_SET_H
#define INFLUXFS_NIGHTLY_FETCH_SET_H

#include "mount-helper/nightly/receipt.h"
#include "store/snapshot/tarhead.h"

/* The header before the bytes of a file, with the time of the run. Its length, or -errno. */
int fetch_set_head(const struct receipt *c, const struct receipt_object *o, char buf[TARHEAD_MAX]);

/* The zeros after them. */
static inline size_t fetch_set_pad(const struct receipt_object *o)
{
    return (size_t)(tar_round_up(o->size) - o->size);
}

/* The bytes of the whole tar, with the TAR_END zeros at its end; or -errno. */
int fetch_set_size(const struct receipt *c, uint64_t *size);

#endif
