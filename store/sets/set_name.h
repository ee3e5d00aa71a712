/* SPDX-License-Identifier: MIT */
/*
 * The names that `influxd backup` gives to files (cmd/influxd/backup/backup.go). Pure.
 *
 *   legacy     meta.NN             a metastore: the first two digits or more that were free
 *              DB.RP.NNNNN.NN      a shard, of five digits or more, and as before
 *   portable   TIME.manifest, TIME.meta, TIME.sN.tar.gz
 *
 * Dots may stand in DB and in RP: only a metastore that knows the shard can tell which is which.
 */
#ifndef INFLUXFS_SETS_SET_NAME_H
#define INFLUXFS_SETS_SET_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SET_MANIFEST_SUFFIX ".manifest"

/* meta.NN; *run is written if so. */
bool set_name_meta(const char *name, uint64_t *run);

/* DB.RP.NNNNN.NN. The first *prefix bytes of the name are DB.RP. */
bool set_name_shard(const char *name, size_t *prefix, uint64_t *id, uint64_t *run);

bool set_name_manifest(const char *name);

/* A text beside a set, which says what influxfs could not put into it (madeset.h): left_out,
 * left_out-NN, TIME.left_out. */
bool set_name_left_out(const char *name);

/* One component of a path, neither hidden nor "..", without control bytes. */
bool set_name_plain(const char *name);

#endif
