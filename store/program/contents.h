/* SPDX-License-Identifier: MIT */
/* What the live store holds, as its folders show it: one walk, which reads no
 * file but meta.db. */
#ifndef INFLUXFS_PROGRAM_CONTENTS_H
#define INFLUXFS_PROGRAM_CONTENTS_H

#include "store/base/err.h"
#include "store/influx/paths.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The files of one retention policy: TSM files and tombstones (data), and WAL segments. */
struct report_policy {
    char *database, *policy;
    uint64_t shards, files, data_bytes, wal_bytes;
};

/* What the live store holds, by database and policy in the order of their names. Policies without
 * shards are not listed. */
struct report_contents {
    bool known; /* else for the reason in */
    struct err unknown;
    bool absent;  /* there is no data folder */
    bool missing; /* nor is any other of the three folders */
    struct report_policy *policies;
    size_t npolicies;
    uint64_t meta_bytes;
};

/* Walks the folders, and the links that influxd follows. *out is then known, or says why not: a
 * folder of a database cannot be read, or a part of the store is missing, as where a disk is not
 * mounted; where there is no data folder, there is no store. -EINTR: `stopped` (which may
 * be NULL) said so. -ENOMEM. The caller clears *out, also after an error. */
int contents_look(const struct store_paths *p, bool (*stopped)(void *arg), void *arg,
                  struct report_contents *out);

/* The bytes of all its files, and their number; 0 if it is not known. */
uint64_t contents_bytes(const struct report_contents *c);
uint64_t contents_files(const struct report_contents *c);

/* The store must be there: one that is missing is unknown, since it is gone. */
void contents_demand(struct report_contents *c, const struct store_paths *p);

int contents_copy(const struct report_contents *from, struct report_contents *to);
void contents_clear(struct report_contents *c);

#endif
