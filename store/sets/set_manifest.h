/* SPDX-License-Identifier: MIT */
/*
 * The manifest of a portable set: JSON of what one run wrote (cmd/influxd/backup_util).
 *
 *   {"meta": {"fileName": …, "size": n}, "limited": bool,
 *    "files": [{"database": …, "policy": …, "shardID": n, "fileName": …, "size": n, …}, …], …}
 *
 * Sizes are those of the metastore and of the tar before they were packed. `limited` and the time
 * of each file say nothing: influxd leaves them false and 0. Keys that are not listed are skipped.
 * Pure, on untrusted text: after set_manifest_parse each file name is one plain component
 * (set_name.h), and no shard or name stands there twice.
 */
#ifndef INFLUXFS_SETS_SET_MANIFEST_H
#define INFLUXFS_SETS_SET_MANIFEST_H

#include "store/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SET_MANIFEST_MAX (64u << 20) /* larger files are not read */

struct set_manifest_file {
    char *db, *rp;
    uint64_t shard;
    char *name;
    uint64_t size;
};

struct set_manifest {
    char *meta; /* the metastore's file */
    uint64_t meta_size;
    struct set_manifest_file *files; /* by shard */
    size_t nfiles;
};

/* The caller releases *out with set_manifest_clear. -EBADMSG, with a message; -ENOMEM. */
int set_manifest_parse(const char *text, size_t len, struct set_manifest *out, struct err *e);
void set_manifest_clear(struct set_manifest *m);

#endif
