/* SPDX-License-Identifier: MIT */
/* Small objects that are made in memory: marks, sums, receipts. */
#ifndef INFLUXFS_NIGHTLY_PUTTING_BYTES_H
#define INFLUXFS_NIGHTLY_PUTTING_BYTES_H

#include "mount-helper/nightly/putting.h"
#include "store/base/buffer.h"

/* Uploads the text under this very name. Errors as putting_object. */
int putting_bytes(struct remote *r, const char *folder, const char *name, const struct buffer *text,
                  enum putting_verify verify, struct err *e);

#endif
