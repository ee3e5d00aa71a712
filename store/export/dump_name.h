/* SPDX-License-Identifier: MIT */
/*
 * The names of dumps:
 *
 *   DB/RP/DAY/MEASUREMENT_FROM_TO.EXT     DAY 2016-06-11, FROM and TO 2016-06-11-00:00:00, in UTC,
 *                                         to which a fraction of a second may be appended
 *
 * FROM and TO are also read in a compact form, as names in at/ have it: 20160611T000000Z, with the
 * fraction before the Z. It has no colons, which tar, rsync, rclone, CIFS and others take amiss.
 *
 * In names of databases, policies and measurements, slashes, percent signs and control characters
 * are written as % and two hexadecimal digits, and so are the dots of "." and "..". A name that
 * would be longer than 255 bytes is shortened to 180 (or fewer, so that no character is split),
 * followed by ~ and 16 hexadecimal digits of the SHA-256 of the whole name.
 *
 * All functions are pure; texts are NUL-terminated.
 */
#ifndef INFLUXFS_EXPORT_DUMP_NAME_H
#define INFLUXFS_EXPORT_DUMP_NAME_H

#include "store/export/dump.h"

#define DUMP_NAME_MAX 255

enum dump_names { DUMP_NAMES_COLONS, DUMP_NAMES_COMPACT };

extern const char *const dump_extensions[3]; /* by dump_format: "json", "csv", "lp" */

/* The name of a database or policy. */
void dump_name_folder(struct slice name, char out[DUMP_NAME_MAX + 1]);

/* The same of any name, within max bytes (at least 180 + 17): for what is not a folder. */
void dump_name_within(struct slice name, size_t max, char out[DUMP_NAME_MAX + 1]);

/* Whether it is the name of a day's folder, as written by time_day_text. */
bool dump_name_is_day(const char *name, int32_t *day);

/* A measurement on one day. What is shortened is the same in both forms. */
void dump_name_file(struct slice measurement, int32_t day, enum dump_format format,
                    enum dump_names names, char out[DUMP_NAME_MAX + 1]);

/* The same of a file that is compressed: followed by ".gz" or ".zst". */
void dump_name_packed(struct slice measurement, int32_t day, enum dump_format format,
                      enum dump_names names, const char *ending, char out[DUMP_NAME_MAX + 1]);

/* The parsed name of a file. */
struct dump_name {
    enum dump_format format;
    char measurement[DUMP_NAME_MAX + 1]; /* n bytes, decoded */
    size_t n;
    char coded[DUMP_NAME_MAX + 1]; /* as in the file name */
    bool shortened;                /* the measurement's name may have been shortened */
    int64_t from, to;              /* nanoseconds since 1970, clamped to that range */
};

/* Of either form. false: it is not such a name. */
bool dump_name_parse(const char *name, enum dump_format format, struct dump_name *out);

/* Whether a shortened name is that of the measurement. */
bool dump_name_is_shortened_of(const struct dump_name *name, struct slice measurement);

#endif
