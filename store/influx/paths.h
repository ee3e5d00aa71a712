/* SPDX-License-Identifier: MIT */
/* The three folders that make a store, as influxdb.conf names them. */
#ifndef INFLUXFS_INFLUX_PATHS_H
#define INFLUXFS_INFLUX_PATHS_H

struct store_paths {
    char *meta;   /* [meta] dir: meta.db */
    char *data;   /* [data] dir: DB/RP/SHARD/… */
    char *wal;    /* [data] wal-dir: DB/RP/SHARD/… */
    char *config; /* the influxdb.conf they come from, or NULL */
};

void store_paths_free(struct store_paths *p); /* leaves all members NULL */

#endif
