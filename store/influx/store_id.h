/* SPDX-License-Identifier: MIT */
/* The id of a store: 32 hexadecimal digits, made at random once and kept in the state folder as
 * `id`. It belongs to the folders: remounts and restores do not change it, and a copy elsewhere,
 * which has a state folder of its own, gets another. */
#ifndef INFLUXFS_INFLUX_STORE_ID_H
#define INFLUXFS_INFLUX_STORE_ID_H

#include "store/base/err.h"

#include <stdint.h>

#define STORE_ID 32

struct store_id {
    char text[STORE_ID + 1];
    int64_t made_ns; /* wall clock */
};

/* Reads the id, or makes it if there is none. Processes that do so at once get the same one.
 * -EBADMSG: what is kept is no id. */
int store_id_get(const char *state, struct store_id *out, struct err *e);

/* The same, but makes none: -ENOENT. */
int store_id_look(const char *state, struct store_id *out, struct err *e);

#endif
