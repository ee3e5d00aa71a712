/* SPDX-License-Identifier: MIT */
/* Leases on cuts, and the lock for changing them: flock(2) of small files below cuts/, so that
 * nothing stays locked after a process ends, however it ends. */
#ifndef INFLUXFS_CHAIN_LEASE_H
#define INFLUXFS_CHAIN_LEASE_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes the cuts' lock until the descriptor, which the caller owns, is closed. Waits; -EINTR if
 * `interrupted` (may be NULL) returns true. */
int lease_lock(int cuts_fd, bool (*interrupted)(void *ctx), void *ctx, struct err *e);

/* Leases the cut until the descriptor is closed. The cut may have gone meanwhile: check again. */
int lease_take(int cuts_fd, uint64_t serial, struct err *e);

/* Prevents new leases of the cut until the descriptor is closed: -EBUSY if it is leased. */
int lease_close_off(int cuts_fd, uint64_t serial);

/* Removes the lease file of a removed cut, which is closed off. */
void lease_remove(int cuts_fd, uint64_t serial);

#endif
