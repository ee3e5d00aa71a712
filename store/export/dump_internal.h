/* SPDX-License-Identifier: MIT */
/* Points into one format each, for dump.c. */
#ifndef INFLUXFS_EXPORT_DUMP_INTERNAL_H
#define INFLUXFS_EXPORT_DUMP_INTERNAL_H

#include "store/export/gotext.h"
#include "store/export/points.h"

/* All rows of p, opened for POINTS_ANSWER (JSON, CSV) or POINTS_ALL (line protocol). */
int dump_json(struct points *p, struct slice measurement, struct gotext_out *o);
int dump_csv(struct points *p, struct slice measurement, struct gotext_out *o);
int dump_lines(struct points *p, struct gotext_out *o);

/* The names of the columns, without time: points_columns() strings, each to be freed and so is the
 * list (dump_names_free). */
struct slice *dump_names(const struct points *p);
void dump_names_free(struct slice *names, size_t n);

#endif
