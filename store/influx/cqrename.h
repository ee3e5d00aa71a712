/* SPDX-License-Identifier: MIT */
/* The continuous queries of a database that is copied under another name. */
#ifndef INFLUXFS_INFLUX_CQRENAME_H
#define INFLUXFS_INFLUX_CQRENAME_H

#include "store/base/buffer.h"
#include "store/base/err.h"

/*
 * Appends CREATE CONTINUOUS QUERY … END with the database `from` named `to`: after ON, and where it
 * is the first of three names after INTO or FROM, also with an empty policy, a regular expression or
 * :MEASUREMENT as the last (influxql parser.go, parseSegmentedIdents). All other text stays.
 *
 * 1: done. 0: it must not come along, and `why` says why: it writes into another database by name,
 * so the copy would do so beside the original; or it is no such statement. -ENOMEM.
 */
int cqrename(const char *text, const char *from, const char *to, struct buffer *out,
             struct err *why);

#endif
