/* SPDX-License-Identifier: MIT */
/* What may be wrong with the key of a field (serieskey.h), as errors with the name of the file. */
#ifndef INFLUXFS_POINTS_FIELDKEY_H
#define INFLUXFS_POINTS_FIELDKEY_H

#include "store/base/err.h"
#include "store/influx/serieskey.h"
#include "store/influx/value.h"

/* Splits a composite key; -EBADMSG if it has no field. file is its path in the store. */
int fieldkey_split(struct slice key, const char *file, struct slice *series, struct slice *field,
                   struct err *e);

/* -EBADMSG: the field has one type in this file and another elsewhere in its shard. */
int fieldkey_two_types(struct slice field, const char *file, enum value_type here,
                       enum value_type elsewhere, struct err *e);

#endif
