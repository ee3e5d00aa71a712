/* SPDX-License-Identifier: MIT */
/* The manifests of a chain as one text, one after the other: how a client tells a server what it
 * has. */
#ifndef INFLUXFS_INFLUXSNAP_CHAINTEXT_H
#define INFLUXFS_INFLUXSNAP_CHAINTEXT_H

#include "store/base/buffer.h"
#include "store/influxsnap/tarset.h"

/* Appends those of the files that count. -ENOMEM. */
int chaintext_write(const struct tarset *chain, struct buffer *out, struct err *e);

/* Reads such a text, which is untrusted. *out is one chain, to which a number can be added; the
 * caller releases it. Errors as manifest_parse, for a text that is none; -ESTALE, -EINVAL: no such
 * chain. */
int chaintext_read(const char *text, size_t n, struct tarset *out, struct err *e);

#endif
