/* SPDX-License-Identifier: MIT */
/*
 * A measurement of a capture as text.
 *
 *   DUMP_JSON  byte for byte what influxd 1.6 answers over HTTP, with db=DB, to
 *              SELECT * FROM "RP"."MEASUREMENT" WHERE time >= FROM AND time < TO
 *   DUMP_CSV   the same with Accept: application/csv
 *   DUMP_LP    line protocol: each point a line with all its fields, sorted by series, then time,
 *              ready for /write; times in nanoseconds
 *
 * points.h says which points and columns these are, and what memory they take; influxd's limits of
 * rows (max-row-limit) are taken to be off, as they are by default. A column whose name is taken
 * (a tag's of the same name as a field's) is called NAME_1 (influxql ColumnNames).
 */
#ifndef INFLUXFS_EXPORT_DUMP_H
#define INFLUXFS_EXPORT_DUMP_H

#include "store/snapshot/capture.h"

enum dump_format { DUMP_JSON, DUMP_CSV, DUMP_LP };

struct dump_query {
    const char *db, *rp;
    const char *measurement; /* as users write it, n bytes */
    size_t n;
    int64_t from, to; /* nanoseconds since 1970; from <= time < to */
};

/* Takes all n bytes, or returns a negative errno, with words. */
typedef int (*dump_write)(void *ctx, const void *p, size_t n, struct err *e);

/* Writes the whole text. When it fails, what has been written is of no use. Errors as points_open
 * and points_next, and what write returned. */
int dump(const struct capture *c, const struct dump_query *q, enum dump_format format,
         dump_write write, void *ctx, struct err *e);

#endif
