/* SPDX-License-Identifier: MIT */
/*
 * Keys of series and fields, as TSM files, tombstones and WAL spell them.
 *
 *   measurement[,tag=value]…#!~#field
 *
 * Commas and spaces of the measurement, and commas, spaces and equals signs of tags, are preceded
 * by a backslash; backslashes themselves are not, and neither is anything of the field. The
 * separator is the first one. Tags are sorted by their names. (influxdb models/points.go,
 * tsdb/engine/tsm1/engine.go SeriesAndFieldFromCompositeKey)
 *
 * Pure functions on untrusted bytes; nothing is NUL-terminated.
 */
#ifndef INFLUXFS_INFLUX_SERIESKEY_H
#define INFLUXFS_INFLUX_SERIESKEY_H

#include <stdbool.h>
#include <stddef.h>

#define SERIESKEY_SEPARATOR "#!~#"

/* Bytes within a key. */
struct slice {
    const char *p;
    size_t n;
};

/* Bytewise order; a prefix comes first. */
int slice_compare(struct slice a, struct slice b);

/* Splits a composite key; false if it has no separator. */
bool serieskey_split(struct slice composite, struct slice *series, struct slice *field);

/* Whether a composite key is of the measurement, which is escaped as in keys. */
bool serieskey_is_of(struct slice composite, struct slice measurement);

/* The part before the tags, with its escapes; *rest is the tags, from the comma before the
 * first. */
struct slice serieskey_measurement(struct slice series, struct slice *rest);

/* Takes the next tag off *rest, with its escapes; false if there is none. */
bool serieskey_tag(struct slice *rest, struct slice *name, struct slice *value);

/* Writes a tag's name or value without its escapes into out, which has room for in.n bytes. Returns
 * the number of bytes written. */
size_t serieskey_unescape(struct slice in, char *out);

/* The same for a measurement, which has fewer escapes. */
size_t serieskey_unescape_measurement(struct slice in, char *out);

/* Writes a measurement with its escapes into out, which has room for twice in.n bytes. */
size_t serieskey_escape_measurement(struct slice in, char *out);

#endif
