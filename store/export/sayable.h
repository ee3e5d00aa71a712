/* SPDX-License-Identifier: MIT */
/*
 * Which names line protocol can express, so that influxd's /write takes them for what they are.
 *
 * Lines end at a newline, those that begin with # are comments, and white space before a line is
 * passed over. A backslash makes the comma, space or equals sign after it part of a name, but has
 * no escape itself; and the parts of influxd's reader disagree about two of them in a row: those
 * that find ends of lines and of fields take them for a pair, the others look at the last one
 * alone. And /write takes the escapes off a measurement twice. So names with backslashes at certain
 * places cannot be written at all. (influxdb models/points.go scanLine, scanKey, scanFields,
 * pkg/escape)
 *
 * Pure functions.
 */
#ifndef INFLUXFS_EXPORT_SAYABLE_H
#define INFLUXFS_EXPORT_SAYABLE_H

#include "store/influx/serieskey.h"

/* Why the key of a series, as it is stored, cannot be written at the beginning of a line; NULL: it
 * can. */
const char *sayable_series(struct slice key);

/* Why that is so for the measurement alone, whatever its tags. */
const char *sayable_measurement(struct slice key);

/* The same for a field, whose name is not escaped. */
const char *sayable_field(struct slice name);

#endif
