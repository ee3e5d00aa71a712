/* SPDX-License-Identifier: MIT */
/*
 * Days and the names of their containers. A day is one of this machine's calendar, as days since
 * 1970-01-01 (time_day_text prints it); its container is named by strftime(3), "%Y-%m-%d" unless
 * --container-format says otherwise. Below it lie the day's folders, as object storage has them:
 *
 *   CONTAINER/DAY/shards        archives of a store     DAY: always 2016-06-11
 *   CONTAINER/DAY/influxdb      dumps
 *
 * Pure. Names are by the C locale unless the program has set another.
 */
#ifndef INFLUXFS_NIGHTLY_DAYNAME_H
#define INFLUXFS_NIGHTLY_DAYNAME_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define DAYNAME_DEFAULT "%Y-%m-%d"
#define DAYNAME 256 /* bytes of a container's name, with its NUL */

/* The folders of a day. */
#define DAYNAME_SHARDS "shards"
#define DAYNAME_DUMPS "influxdb"

/* -EINVAL, with a reason that does not name the option: a name by this format could not be a
 * container's, or does not tell its day. All functions below want a format that is good. */
int dayname_check(const char *format, struct err *e);

/* The name of the day's container, and the day that a container is named after; false: none. */
void dayname_of(const char *format, int32_t day, char out[DAYNAME]);
bool dayname_read(const char *format, const char *name, int32_t *day);

/* For qsort(3) of days: the newest first. */
int dayname_newest_first(const void *a, const void *b);

/* "2016-06-11/2016-06-11/shards", in fresh memory; NULL: out of memory. */
char *dayname_folder(const char *format, int32_t day, const char *branch);

#endif
