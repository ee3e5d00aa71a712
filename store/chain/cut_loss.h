/* SPDX-License-Identifier: MIT */
/*
 * What vanished from one cut to the next: data that are gone and not replaced.
 *
 * Losses are counted by shard, in bytes of its TSM files, tombstones and WAL. All of a shard is
 * lost if the shard is gone or has no files. In a remaining shard, TSM files are lost if no new one
 * has their generation or a later one, as influxd's compactions produce; WAL segments are lost if
 * no TSM file is new. Points that a tombstone deletes from remaining files do not count. The
 * database _internal is counted neither as lost nor as part of the whole.
 */
#ifndef INFLUXFS_CHAIN_CUT_LOSS_H
#define INFLUXFS_CHAIN_CUT_LOSS_H

#include "store/chain/cutlist.h"

struct json_object;
struct loss;

struct loss *loss_new(void); /* NULL when out of memory */
void loss_free(struct loss *l);

/* Takes a file of the previous cut (NULL: absent), and the same file now (NULL: absent); files outside
 * shards are skipped. -ENOMEM. */
int loss_see(struct loss *l, const char *path, const struct file_attr *was,
             const struct file_attr *now);

/* Takes the files of a folder of a shard ("data/DB/RP/ID"), which are the same as they were; or forgets
 * what was taken of the shard. */
int loss_see_same(struct loss *l, const char *folder, uint64_t files, uint64_t bytes);
void loss_forget(struct loss *l, const char *folder);

/* Sums up the files taken. -ENOMEM. */
int loss_sum(struct loss *l, struct cut_lost *out);

/* Whether the loss exceeds this part of the whole. */
bool loss_exceeds(const struct cut_lost *lost, double part);

/* "9 shards, 18 files, 3400 bytes are gone (90.0 % of what there was): a/rp, b/rp and 7 more";
 * "" if nothing was lost. */
#define LOSS_WORDS (CUT_LOST_NAMES + 160)
const char *loss_words(const struct cut_lost *lost, char out[LOSS_WORDS]);

/* The same as a JSON object; and with "tripped" and "accepted" from the cut's manifest. */
struct json_object *loss_json(const struct cut_lost *lost);
struct json_object *loss_json_of_cut(const struct cut_head *h);

#endif
