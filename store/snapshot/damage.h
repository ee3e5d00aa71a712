/* SPDX-License-Identifier: MIT */
/*
 * TSM files that are not whole: a look at a captured file before it is trusted for years. The bytes
 * are in the snapshot all the same, as they are.
 */
#ifndef INFLUXFS_SNAPSHOT_DAMAGE_H
#define INFLUXFS_SNAPSHOT_DAMAGE_H

#include "store/snapshot/capture.h"

/* How much is looked at: header, footer and length; or every entry of the index as well, which
 * reads the index. Blocks are not read: `influxsnap verify` does that. */
enum damage_depth { DAMAGE_ENDS, DAMAGE_INDEX };

/* 0 if member i is whole, or no TSM file. -EBADMSG: it is not, e says where and how, and the
 * capture knows it from now on. Else what reading it says. */
int damage_look(struct capture *c, size_t i, enum damage_depth depth, struct err *e);

/* Calls tell with the words for each member that is known to be damaged. */
int damage_tell(struct capture *c, void (*tell)(void *arg, const char *words), void *arg,
                struct err *e);

#endif
