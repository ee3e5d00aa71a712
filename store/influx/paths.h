/* SPDX-License-Identifier: MIT */
/* The three folders that make a store, as influxdb.conf names them, and the state folder, where what
 * is remembered of the store, and its cuts, are kept. */
#ifndef INFLUXFS_INFLUX_PATHS_H
#define INFLUXFS_INFLUX_PATHS_H

#include <stdbool.h>
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

/* Finds the state folder: given, or `influxfs` beside the data folder. make: if it is not there it
 * is made, mode 0700; its parent must exist. *out is its absolute path, the caller's; where the
 * folder cannot be had it is what was tried, or NULL, and -errno is returned. */
int state_folder(const struct store_paths *paths, const char *given, bool make, char **out);

#endif
