/* SPDX-License-Identifier: MIT */
/*
 * A measurement of a capture as text, read from beginning to end.
 *
 *   DUMP_JSON  byte for byte what influxd answers over HTTP, with db=DB, to
 *              SELECT * FROM "RP"."MEASUREMENT" WHERE time >= FROM AND time < TO
 *              without the "partial":true that influxd 1.6 leaves in whole answers of more than
 *              10,000 rows, and later versions do not
 *   DUMP_CSV   the same with Accept: application/csv
 *   DUMP_LP    line protocol: each point a line with all its fields, sorted by series, then time,
 *              ready for /write; times in nanoseconds
 *
 * What line protocol cannot express (sayable.h) is an error, -EILSEQ, or is left out: a
 * measurement, a series, or one field of a point.
 *
 * points.h defines the points and columns, and their memory; influxd's limit of rows
 * (max-row-limit) counts as off, its default. A column whose name is taken (a tag named as a field)
 * becomes NAME_1 (influxql ColumnNames).
 *
 * The same capture and query give the same text. One thread at a time.
 */
#ifndef INFLUXFS_EXPORT_DUMP_H
#define INFLUXFS_EXPORT_DUMP_H

#include "store/base/buffer.h"
#include "store/points/points_types.h"
#include "store/points/schema_cache.h"

#include <sys/types.h>

enum dump_format { DUMP_JSON, DUMP_CSV, DUMP_LP };

struct dump_query {
    const char *db, *rp;
    const char *measurement; /* as users write it, n bytes */
    size_t n;
    int64_t from, to; /* nanoseconds since 1970; from <= time < to */
    enum dump_format format;
    const struct gaps *gaps;             /* what may be left out; may be NULL */
    const struct tarball_reader *reader; /* may interrupt; may be NULL */
    size_t memory;                       /* budget in bytes; 0: POINTS_MEMORY (points_types.h) */
    const char *folder; /* where a file without a name may be made; NULL: io_temporary_folder */
    struct points_spilled *spilled; /* what is in such files is counted there; may be NULL */
};

struct dump;

/* The cache, and the pointers in *q, must outlive the result. Errors as points_open. */
int dump_open(struct schema_cache *c, const struct dump_query *q, struct dump **out, struct err *e);
void dump_free(struct dump *d);
static inline void dump_freep(struct dump **d)
{
    dump_free(*d);
}

/* Reads the next bytes: at least one and at most n; 0 at the end of the text. buf NULL: skips them, and
 * if n is SIZE_MAX only counts those that are not made yet, which takes less time. About 64 KiB are
 * made at a time, or one row if longer. After an error, the text so far is
 * incomplete. Errors as points_next. */
ssize_t dump_read(struct dump *d, void *buf, size_t n, struct err *e);

/* Marks: places from which another dump of the same query over the same files goes on. They are for
 * this process alone.
 *
 * dump_mark appends that of the next byte to *mark. -EAGAIN: there is none here; from now on, dump_read
 * gives less than it might where there is one. -ENOMEM. dump_resume begins there, instead of at the
 * beginning; nothing was read yet. -EINVAL: no such mark; errors as dump_read, after which only
 * dump_free is allowed. */
int dump_mark(struct dump *d, struct buffer *mark);
int dump_resume(struct dump *d, struct slice mark, struct err *e);

/* Whether the text, of which nothing was read yet, is that of no points: 1 or 0. Makes the first
 * piece. Errors as dump_read. */
int dump_is_empty(struct dump *d, struct err *e);

/* A digest of all that the text depends on: equal digests mean equal texts. Errors as dump_open,
 * except for damage in files that it does not read. */
int dump_digest(struct schema_cache *c, const struct dump_query *q, uint8_t out[SHA256_BYTES],
                struct err *e);

/* When the files behind the text last changed, in nanoseconds since 1970. */
int dump_mtime(struct schema_cache *c, const struct dump_query *q, int64_t *ns, struct err *e);

#endif
