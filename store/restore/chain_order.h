/* SPDX-License-Identifier: MIT */
/*
 * Which snapshot follows which: what a number means to a store that holds some state, and what
 * state it makes of it. Pure; manifests only.
 */
#ifndef INFLUXFS_RESTORE_CHAIN_ORDER_H
#define INFLUXFS_RESTORE_CHAIN_ORDER_H

#include "store/base/err.h"
#include "store/snapshot/manifest.h"

enum verdict {
    VERDICT_APPLY,
    VERDICT_ALREADY,      /* it is what the store holds */
    VERDICT_SUPERSEDED,   /* the store holds this number of its chain or a later one */
    VERDICT_WRONG_PARENT, /* it is the next number, but of another state than the store's */
    VERDICT_MOVED_ON,     /* its parent was restored, and the store has changed since */
    VERDICT_WAITS,
};

/* held: what was restored last, NULL if that is not known; moved_on: the store is not that any
 * more. */
enum verdict chain_order_judge(const struct manifest *number, const struct manifest *held,
                               bool moved_on);

/* Whether a number can never be of use to a store that holds this. */
bool chain_order_stale(const struct manifest *number, const struct manifest *held);

/* Which of the numbers builds on `at`: one of its chain, if there are several. SIZE_MAX: none. */
size_t chain_order_next(const struct manifest *const numbers[], size_t n,
                        const struct manifest *at);

/* The state becomes that which the number makes of it: a full manifest. -EBADMSG: the number does
 * not fit it; then, and with -ENOMEM, the state is of no use any more. */
int chain_order_apply(struct manifest *state, const struct manifest *number, struct err *e);

/* What the i-th of these numbers, which waits, waits for. */
void chain_order_waits_for(const struct manifest *const numbers[], size_t n, size_t i,
                           const struct manifest *held, struct err *words);

#endif
