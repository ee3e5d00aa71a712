/* SPDX-License-Identifier: MIT */
/* The statements that create a database and its policies. */
#ifndef INFLUXFS_INFLUXSNAP_DDL_H
#define INFLUXFS_INFLUXSNAP_DDL_H

#include "store/influx/meta.h"

#include <stdio.h>

/* Writes a line for each policy of the database; the first creates the database with its default
 * policy. The caller asks ferror whether all was written. */
void ddl_write(const struct meta *m, const char *db, FILE *to);

/* An exact duration of InfluxQL: "2w", "90m", "INF" for 0. */
void ddl_duration(int64_t ns, char out[32]);

#endif
