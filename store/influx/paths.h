/* SPDX-License-Identifier: MIT */
/* The three folders that make a store, as influxdb.conf names them. */
#ifndef INFLUXFS_INFLUX_PATHS_H
#define INFLUXFS_INFLUX_PATHS_H

#include <stddef.h>

struct store_paths {
    char *meta;   /* [meta] dir: meta.db */
    char *data;   /* [data] dir: DB/RP/SHARD/… */
    char *wal;    /* [data] wal-dir: DB/RP/SHARD/… */
    char *config; /* the influxdb.conf they come from, or NULL */
};

/* The folders by number: their names ("meta", "data", "wal"), the variables by which influxd's
 * environment sets them, and their paths. */
#define STORE_FOLDERS 3
extern const char *const store_folder_names[STORE_FOLDERS];
extern const char *const store_folder_variables[STORE_FOLDERS];
const char *store_folder(const struct store_paths *p, size_t i);
char **store_folder_of(struct store_paths *p, size_t i);

void store_paths_free(struct store_paths *p); /* leaves all members NULL */

#endif
