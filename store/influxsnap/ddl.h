/* SPDX-License-Identifier: MIT */
/* The statements that create a database and its policies. */
#ifndef INFLUXFS_INFLUXSNAP_DDL_H
#define INFLUXFS_INFLUXSNAP_DDL_H

#include "store/influx/meta.h"

#include <stdio.h>

/* Writes a line for each policy; the first creates the database with its default policy. The caller
 * checks ferror. */
void ddl_write(const struct meta *m, const char *db, FILE *to);

/* An exact duration of InfluxQL, such as "2w" or "90m"; "INF" for 0. */
void ddl_duration(int64_t ns, char out[32]);

#endif
