/* SPDX-License-Identifier: MIT */
/* The statements that create a database and its policies. */
#ifndef INFLUXFS_INFLUXSNAP_DDL_H
#define INFLUXFS_INFLUXSNAP_DDL_H

#include "store/base/buffer.h"
#include "store/influx/meta.h"

/* Appends a statement for each policy, and `end` after each; the first creates the database with its
 * default policy. Without a policy, one that creates the database and one that drops what that
 * makes. */
void ddl_write(const struct meta *m, const char *db, const char *end, struct buffer *out);

/* An exact duration of InfluxQL, such as "2w" or "90m"; "INF" for 0. */
void ddl_duration(int64_t ns, char out[32]);

#endif
