/* SPDX-License-Identifier: MIT */
/*
 * Which names line protocol can express, so that influxd's /write reads them unchanged.
 *
 * Lines end at a newline; lines that begin with # are comments; white space before a line is
 * skipped. A backslash makes the comma, space or equals sign after it part of a name, but cannot be
 * escaped itself. The parts of influxd's reader disagree about two backslashes in a row: those that
 * find the ends of lines and fields take them for a pair, the others check only the last one. And
 * /write unescapes a measurement twice. So names with backslashes at certain places cannot be
 * written at all. (influxdb models/points.go scanLine, scanKey, scanFields, pkg/escape) Pure
 * functions.
 */
#ifndef INFLUXFS_EXPORT_SAYABLE_H
#define INFLUXFS_EXPORT_SAYABLE_H

#include "store/influx/serieskey.h"

/* Why a series' stored key cannot be written at the beginning of a line; NULL: it can. */
const char *sayable_series(struct slice key);

/* The same for the measurement alone, whatever its tags. */
const char *sayable_measurement(struct slice key);

/* The same for a field, with its name unescaped. */
const char *sayable_field(struct slice name);

#endif
