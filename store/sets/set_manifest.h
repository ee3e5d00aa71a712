/* SPDX-License-Identifier: MIT */
/*
 * The manifest of a portable set: JSON of what one run wrote (cmd/influxd/backup_util).
 *
 *   {"meta": {"fileName": …, "size": n}, "limited": bool,
 *    "files": [{"database": …, "policy": …, "shardID": n, "fileName": …, "size": n, …}, …], …}
 *
 * Sizes are those of the metastore and of the tar before they were packed. The time of each file
 * says nothing: influxd leaves it 0; and it leaves `limited` false, also of one database (influxfs
 * says true, and `whole` where nothing of its shards is left out). Keys that are not listed are skipped.
 * Pure, on untrusted text: after set_manifest_parse each file name is one plain component
 * (set_name.h), and no shard or name stands there twice.
 */
#ifndef INFLUXFS_SETS_SET_MANIFEST_H
#define INFLUXFS_SETS_SET_MANIFEST_H

#include "store/base/err.h"

#include <stdbool.h>
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
    bool limited;                    /* it is not all of a server, */
    bool whole;                      /* but all of its shards */
    struct set_manifest_file *files; /* by shard */
    size_t nfiles;
};

/* The caller releases *out with set_manifest_clear. -EBADMSG, with a message; -ENOMEM. */
int set_manifest_parse(const char *text, size_t len, struct set_manifest *out, struct err *e);
void set_manifest_clear(struct set_manifest *m);

#endif
