/* SPDX-License-Identifier: MIT */
/*
 * What vanished from one cut to the next: data that were in the store and that nothing has taken
 * the place of.
 *
 * It is counted by shard, in bytes of its TSM files, tombstones and WAL. All of a shard is lost if
 * it is not there any more, or has no files. Of a shard that is there, TSM files are lost if no new
 * one has their generation or a later one, as what influxd compacts them into has; and WAL segments
 * if no TSM file is new. What a tombstone takes out of files that are there does not count, nor
 * does the database _internal, neither as lost nor as part of the whole.
 */
#ifndef INFLUXFS_CHAIN_CUT_LOSS_H
#define INFLUXFS_CHAIN_CUT_LOSS_H

#include "store/chain/cutlist.h"

struct json_object;
struct loss;

struct loss *loss_new(void); /* NULL when out of memory */
void loss_free(struct loss *l);

/* Takes a file of the cut before (NULL: it was not there), and the same one now (NULL: it is not
 * there). Paths must live as long as l; other files than those of shards are passed over. -ENOMEM.
 */
int loss_see(struct loss *l, const char *path, const struct file_attr *was,
             const struct file_attr *now);

/* Sums up what was taken. -ENOMEM. */
int loss_sum(struct loss *l, struct cut_lost *out);

/* Whether it is more than this part of what there was. */
bool loss_exceeds(const struct cut_lost *lost, double part);

/* "9 shards, 18 files, 3400 bytes are gone (90.0 % of what there was): a/rp, b/rp and 7 more";
 * "" if nothing was lost. */
#define LOSS_WORDS (CUT_LOST_NAMES + 160)
const char *loss_words(const struct cut_lost *lost, char out[LOSS_WORDS]);

/* The same as an object, with "tripped" and "accepted" as the cut's manifest has it. */
struct json_object *loss_json(const struct cut_head *h);

#endif
