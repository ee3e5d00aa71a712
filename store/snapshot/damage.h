/* SPDX-License-Identifier: MIT */
/* Damaged TSM files and tombstones: checks a captured file before it is trusted for years; its
 * bytes stay in the snapshot unchanged. Also damaged WAL segments, whose damage was cut off when
 * they were captured. */
#ifndef INFLUXFS_SNAPSHOT_DAMAGE_H
#define INFLUXFS_SNAPSHOT_DAMAGE_H

#include "store/snapshot/capture.h"

/* How much of a TSM file is checked: header, footer and length; or also every entry of the index,
 * which is read. Blocks are not read: `influxsnap verify` does that. A tombstone is read whole. */
enum damage_depth { DAMAGE_ENDS, DAMAGE_INDEX };

/* 0 if member i is whole, or not one of these files. -EBADMSG: it is damaged; e says where and how,
 * and the capture remembers it. Otherwise an error of reading. */
int damage_look(struct capture *c, size_t i, enum damage_depth depth, struct err *e);

/* The same, with the index, of a member all of whose bytes are in memory. */
int damage_look_in(struct capture *c, size_t i, const void *bytes, struct err *e);

/* -EBADMSG, with the same words, if member i is a WAL segment with damage cut off; else 0. Reads
 * nothing. */
int damage_cut_off(const struct capture *c, size_t i, struct err *e);

/* Calls tell with a message for each member known to be damaged. whole: the snapshot has its bytes
 * unchanged; else the message says which are missing. */
int damage_tell(struct capture *c, void (*tell)(void *arg, const char *words, bool whole),
                void *arg, struct err *e);

/* What a backup by this capture lacks, in a line: its omissions, if any of them counts, else the
 * first damaged member; empty: nothing, as far as is known. */
void damage_say_lacks(struct capture *c, struct err *lacks);

#endif
