/* SPDX-License-Identifier: MIT */
/*
 * Who uses which cut, and who changes them: flock(2) of small files below cuts/, so that whatever
 * happens to a process, nothing of it stays locked.
 */
#ifndef INFLUXFS_CHAIN_LEASE_H
#define INFLUXFS_CHAIN_LEASE_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes the cuts' lock, for as long as the descriptor, which is the caller's, is open. Waits;
 * -EINTR when interrupted (may be NULL) says so. */
int lease_lock(int cuts_fd, bool (*interrupted)(void *ctx), void *ctx, struct err *e);

/* Uses the cut, for as long as the descriptor is open. It may be gone all the same by then: look
 * again. */
int lease_take(int cuts_fd, uint64_t serial, struct err *e);

/* Keeps others from beginning to use the cut, for as long as the descriptor is open: -EBUSY if
 * anybody does. */
int lease_close_off(int cuts_fd, uint64_t serial);

/* Of a cut that is no more, and closed off. */
void lease_remove(int cuts_fd, uint64_t serial);

#endif
