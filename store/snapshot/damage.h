/* SPDX-License-Identifier: MIT */
/*
 * TSM files and tombstones that are not whole: a look at a captured file before it is trusted for
 * years. The bytes are in the snapshot all the same, as they are. And WAL segments that are not
 * whole: what is damaged was cut off when they were captured.
 */
#ifndef INFLUXFS_SNAPSHOT_DAMAGE_H
#define INFLUXFS_SNAPSHOT_DAMAGE_H

#include "store/snapshot/capture.h"

/* How much of a TSM file is looked at: header, footer and length; or every entry of the index as
 * well, which reads the index. Blocks are not read: `influxsnap verify` does that. A tombstone is
 * read whole. */
enum damage_depth { DAMAGE_ENDS, DAMAGE_INDEX };

/* 0 if member i is whole, or not one of these files. -EBADMSG: it is not, e says
 * where and how, and the capture knows it from now on. Else what reading it says. */
int damage_look(struct capture *c, size_t i, enum damage_depth depth, struct err *e);

/* -EBADMSG, with the same words, if member i is a WAL segment of which damage is cut off; else 0.
 * Nothing is read. */
int damage_cut_off(const struct capture *c, size_t i, struct err *e);

/* Calls tell with a message for each member that is known to be damaged. whole: its bytes are in the
 * snapshot as they are; else the message says which are not. */
int damage_tell(struct capture *c, void (*tell)(void *arg, const char *words, bool whole),
                void *arg, struct err *e);

#endif
