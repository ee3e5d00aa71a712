/* SPDX-License-Identifier: MIT */
/* The statements by which a database and its policies come to be as they are. */
#ifndef INFLUXFS_INFLUXSNAP_DDL_H
#define INFLUXFS_INFLUXSNAP_DDL_H

#include "store/influx/meta.h"

#include <stdio.h>

/* Writes a line for each policy of the database, the default one first, as the one with which the
 * database is made; whether all was written is for ferror to say. */
void ddl_write(const struct meta *m, const char *db, FILE *to);

/* A duration as InfluxQL has it, exactly: "2w", "90m", "INF" for 0. */
void ddl_duration(int64_t ns, char out[32]);

#endif
