/* SPDX-License-Identifier: MIT */
/*
 * Which fields influxd knows in a shard, whether or not they have a value still: fields.idx, and
 * since 1.11 what has changed since it was written, fields.idxl.
 *
 *   fields.idx    00 06 01 03 | { 1 measurement { 1 name | 2 field { 1 name | 2 type }… } }…
 *   fields.idxl   { length u64 little-endian | { 1 change { 1 measurement | 2 field { 1 name |
 *                 2 type } | 3 kind: 0 a field is new, 1 the measurement was dropped } }… }…
 *
 * in protobuf; types are 1 float, 2 integer, 3 string, 4 boolean, 9 unsigned. influxd replaces the
 * one by rename and appends to the other, whose last change may be torn. (influxdb tsdb/shard.go,
 * tsdb/internal/fieldsindex.proto)
 *
 * Pure functions on untrusted bytes.
 */
#ifndef INFLUXFS_INFLUX_FIELDSIDX_H
#define INFLUXFS_INFLUX_FIELDSIDX_H

#include "store/influx/serieskey.h"
#include "store/influx/value.h"

/* A non-zero result ends the reading and is returned. */
struct fieldsidx_visitor {
    int (*field)(void *ctx, struct slice measurement, struct slice name, enum value_type type);
    int (*drop)(void *ctx, struct slice measurement);
    void *ctx;
};

/* -EBADMSG: not a fields.idx; influxd then rebuilds it. Fields of unknown types are skipped. */
int fieldsidx_read(const void *bytes, size_t n, const struct fieldsidx_visitor *v);

/* The whole changes of a fields.idxl. 0, or the result of the visitor. */
int fieldsidx_changes(const void *bytes, size_t n, const struct fieldsidx_visitor *v);

#endif
