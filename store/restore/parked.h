/* SPDX-License-Identifier: MIT */
/*
 * Parked increments (increment.h): those of no use to the store when they came, and those that were
 * applied after them. A base.tar that comes last in the same copy must lead to where they led, and
 * not back to the base.
 *
 * Only the owner of the staging area may clear, expire and list them; other calls are for any
 * thread.
 */
#ifndef INFLUXFS_RESTORE_PARKED_H
#define INFLUXFS_RESTORE_PARKED_H

#include "store/restore/increment.h"

struct parked;

/* collect: all increments are parked until a full snapshot comes, and none expires. -ENOMEM. */
int parked_open(bool collect, struct parked **out);
void parked_close(struct parked *p); /* removes their slots. NULL is allowed */

/* Takes over i. known: on arrival, the store held it or a later one. -ENOMEM: i is freed. */
int parked_add(struct parked *p, struct increment *i, bool known);
bool parked_any(struct parked *p);

/* Removes all: at once; or 30 seconds after the last increment was received, as long as an uploaded
 * file stays visible. */
void parked_clear(struct parked *p);
void parked_expire(struct parked *p);

/* An increment begins to be received; has ended. None expires in between. */
void parked_receiving(struct parked *p);
void parked_received(struct parked *p);

/* Appends all to an array_grow list, if they should lead on a store restored from this full
 * snapshot: one of the known increments follows it. They stay parked. -ENOMEM. */
int parked_append(struct parked *p, const struct manifest *full, const struct increment ***list,
                  size_t *n);

#endif
