/* SPDX-License-Identifier: MIT */
/* What a mount has done since it was mounted, counted where it happens, in any thread. All zeros at
 * first. */
#ifndef INFLUXFS_FS_COUNTERS_H
#define INFLUXFS_FS_COUNTERS_H

#include "fs/node.h"
#include "store/program/report.h"

#include <stdatomic.h>

struct counters {
    atomic_uint_least64_t captures, capture_ns;
    atomic_uint_least64_t read[REPORT_BRANCHES];
    atomic_uint_least64_t sizing, cuts, folds;
    atomic_uint_least64_t errors[REPORT_ERROR_KINDS];
};

void counters_captured(struct counters *c, int64_t took_ns);

/* Bytes that were answered to a reader of a node of this kind. */
void counters_read(struct counters *c, enum node_kind kind, size_t n);

/* A request is answered with this -errno. Answers that are no trouble, such as -ENOENT, do not
 * count. */
void counters_answered(struct counters *c, int r);

void counters_error(struct counters *c, enum report_error_kind kind);

void counters_get(struct counters *c, struct report_counters *out);

#endif
