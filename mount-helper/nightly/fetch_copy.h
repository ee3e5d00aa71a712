/* SPDX-License-Identifier: MIT */
/* An archive copied into restore/ of a mount; and read to its end without that. */
#ifndef INFLUXFS_NIGHTLY_FETCH_COPY_H
#define INFLUXFS_NIGHTLY_FETCH_COPY_H

#include "mount-helper/nightly/fetch_into.h"
#include "mount-helper/nightly/fetch_source.h"

/* Copies the full snapshot or the set, and then the numbers, as N.tar: each is a restore by itself, so that
 * an error at a number leaves the store as of what comes before that, which the message says. Errors as
 * fetch_into_write. */
int fetch_copy(const struct fetch_source *s, struct fetch_into *to, struct err *e);

/* Checks all that influxsnap verify checks of them. Errors as tar_verify_stream and setlook_open. */
int fetch_copy_verify(const struct fetch_source *s, struct err *e);

#endif
