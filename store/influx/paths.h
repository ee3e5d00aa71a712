/* SPDX-License-Identifier: MIT */
/* The three folders of a store, and the state folder, which holds its catalogue and its cuts. */
#ifndef INFLUXFS_INFLUX_PATHS_H
#define INFLUXFS_INFLUX_PATHS_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct store_paths {
    char *meta;   /* [meta] dir: meta.db */
    char *data;   /* [data] dir: DB/RP/SHARD/… */
    char *wal;    /* [data] wal-dir: DB/RP/SHARD/… */
    char *config; /* the influxdb.conf they come from, or NULL */
};

/* The folders by number: their names ("meta", "data", "wal"), their environment variables in
 * influxd, and their paths. */
#define STORE_FOLDERS 3
extern const char *const store_folder_names[STORE_FOLDERS];
extern const char *const store_folder_variables[STORE_FOLDERS];
const char *store_folder(const struct store_paths *p, size_t i);
char **store_folder_of(struct store_paths *p, size_t i);

/* Whether any of the three folders is there, or cannot be looked at. */
bool store_is_there(const struct store_paths *p);
/* The error, -EIO, of a store that must be there and has none of its folders. */
int store_is_gone(const struct store_paths *p, struct err *e);

/* -ENOMEM: *to must be freed even then. */
int store_paths_copy(const struct store_paths *from, struct store_paths *to);
void store_paths_free(struct store_paths *p); /* leaves all members NULL */

/* Finds the state folder: given, or `influxfs` beside the data folder. make: a missing one is made,
 * mode 0700; its parent must exist. *out is its absolute path, owned by the caller; after an error
 * (-errno) it is the path that was tried, or NULL. */
int state_folder(const struct store_paths *paths, const char *given, bool make, char **out);

#endif
