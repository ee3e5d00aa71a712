/* SPDX-License-Identifier: MIT */
/*
 * Which shards need not be listed, as the times of their folders say that they are the same as they
 * were when the catalogue last heard of them: for a process that has no capture yet. What was written
 * shortly before that look counts as changed (folder_seen.h).
 *
 * Files of which nothing shows in a folder's time, as they were changed by others than influxd, are
 * found in turn: with each turn the shards of some thousand files are listed although they seem to be
 * the same.
 */
#ifndef INFLUXFS_SNAPSHOT_MARKS_H
#define INFLUXFS_SNAPSHOT_MARKS_H

#include "store/snapshot/catalog.h"
#include "store/snapshot/window.h"

/* What a user of a capture wants to know. */
struct marks_wanted {
    /* Whether the files of a shard, if they are as they were when this was known of it, need not be
     * listed; doubt: they should be listed, unless that has just been done. NULL: none need be. */
    bool (*known)(void *ctx, const struct catalog_shard *shard, bool doubt);
    void *ctx;
    size_t most; /* files that are listed, in whole shards, at least one; the others come later */
    bool last;   /* nothing comes later */
    /* Whose turn it is, as long as this is the same; 0 before the first plan. NULL: of each plan its own. */
    uint64_t *turn;
};

/* Makes a window for window_take (its `before`): for each shard that is not to be listed, a set that
 * stands for its files; *later: some are to be listed later, or else the WAL is, each segment of
 * which takes a descriptor, too. The caller releases *out with window_free. What cannot be read is left to window_take. 0 or -errno, with a message. */
int marks_plan(struct catalog *c, int data_fd, const struct marks_wanted *wanted,
               struct window *out, bool *later, struct err *e);

/* What is to be known of a shard that was listed and captured; false: nothing. */
bool marks_of(const struct shard_pin *s, struct catalog_shard *out);

#endif
