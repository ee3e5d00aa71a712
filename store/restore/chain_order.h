/* SPDX-License-Identifier: MIT */
/* The order of a chain: which increment follows which, what an increment means to the state of a
 * store, and the state that it leads to. Pure; only manifests of snapshots are needed. */
#ifndef INFLUXFS_RESTORE_CHAIN_ORDER_H
#define INFLUXFS_RESTORE_CHAIN_ORDER_H

#include "store/base/err.h"
#include "store/snapshot/manifest.h"

enum verdict {
    VERDICT_APPLY,
    VERDICT_ALREADY,      /* it is what the store holds */
    VERDICT_SUPERSEDED,   /* the store holds its chain up to its number or a later one */
    VERDICT_WRONG_PARENT, /* its number is the next one, but it builds on another state */
    VERDICT_MOVED_ON,     /* its parent was restored, and the store has changed since */
    VERDICT_WAITS,        /* its parent may still come */
};

/* present: what was restored last, NULL if unknown; moved_on: the store has changed since. */
enum verdict chain_order_judge(const struct manifest *increment, const struct manifest *present,
                               bool moved_on);

/* Whether an increment can never be of use to a store that holds this. */
bool chain_order_stale(const struct manifest *increment, const struct manifest *present);

/* The index of the increment that builds on `at`; one of its chain, if there are several; else
 * SIZE_MAX. */
size_t chain_order_next(const struct manifest *const increments[], size_t n,
                        const struct manifest *at);

/* Whether an increment adds, replaces or removes the file. */
bool chain_order_changes(const struct manifest *increment, const char *name);

/* Turns a state into the one that the increment leads to: a full manifest. -EBADMSG: the increment
 * does not fit; then, and after -ENOMEM, the state is unusable. */
int chain_order_apply(struct manifest *state, const struct manifest *increment, struct err *e);

/* Writes a message that says what the i-th of these increments waits for. */
void chain_order_waits_for(const struct manifest *const increments[], size_t n, size_t i,
                           const struct manifest *present, struct err *message);

#endif
