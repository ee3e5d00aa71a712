/* SPDX-License-Identifier: MIT */
/*
 * The names of files in a set that is made, and the ids of shards in a legacy one. Pure.
 *
 * `influxd restore` makes a folder for the id in a legacy name without the zeros at either end, so
 * that shards 1, 10 and 100 become one (influxdb cmd/influxd/restore, unpackTar; 1.6 to 1.12). An id
 * that ends in 0 becomes itself, 1 and a power of ten that is above all ids, at least 100000: 10 is
 * 100011. The same id gets the same one in later sets, until ids reach that power.
 */
#ifndef INFLUXFS_SETS_MADESET_NAMES_H
#define INFLUXFS_SETS_MADESET_NAMES_H

#include <stdint.h>

#define MADESET_NAME_MAX 255

/* The id in a legacy set; greatest: of all ids in the metastore. 0: there is no room for one. */
uint64_t madeset_legacy_id(uint64_t id, uint64_t greatest);

/* Why the real restore cannot take a shard from a legacy set, in words; NULL: it can. */
const char *madeset_refuses_database(const char *db);
const char *madeset_refuses_policy(const char *db, const char *rp, uint64_t id);

#endif
