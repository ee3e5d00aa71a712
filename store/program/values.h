/* SPDX-License-Identifier: MIT */
/* The values of options. Each function reads one kind of value into *out, whose type its comment
 * names, and returns 0; or -EINVAL with a reason in *e that does not repeat the option's name; or
 * -ENOMEM. What was read before a failure stays in *out, to be freed with it. Not thread-safe. */
#ifndef INFLUXFS_PROGRAM_VALUES_H
#define INFLUXFS_PROGRAM_VALUES_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum compress { COMPRESS_NOT, COMPRESS_ZSTD, COMPRESS_GZIP };

/* How something is written: points (enum dump_format), or a backup as one of influxd's sets. */
enum value_set { VALUE_NO_SET, VALUE_SET_PORTABLE, VALUE_SET_LEGACY };

struct value_format {
    bool given;
    int dump; /* enum dump_format */
    enum value_set set;
};

struct value_owner {
    uid_t uid; /* -1: not given */
    gid_t gid;
};

struct value_id {
    bool given;
    unsigned id;
};

struct value_age {
    int64_t warn_ns, critical_ns;
};

int value_flag(const char *text, void *out, struct err *e); /* bool; text is not looked at */
/* char *: a copy, never empty; frees the old one */
int value_text(const char *text, void *out, struct err *e);
int value_count(const char *text, void *out, struct err *e);  /* uint64_t: how many, to 2^40 */
int value_number(const char *text, void *out, struct err *e); /* int64_t: of a cut */
int value_id(const char *text, void *out, struct err *e);     /* struct value_id: a uid or gid */
int value_mode(const char *text, void *out, struct err *e);   /* struct value_id: octal, to 0777 */
int value_owner(const char *text, void *out, struct err *e);  /* struct value_owner: USER[:GROUP] */

/* int64_t, nanoseconds: a length such as 90, 90s, 30m, 1h or 7d, at most 100 years; or a time since
 * 1970 in RFC 3339. */
int value_every(const char *text, void *out, struct err *e);
int value_time(const char *text, void *out, struct err *e);

/* struct value_age: two lengths of time, WARN:CRIT, the second no shorter; WARN alone: twice as long
 * is critical. */
int value_age(const char *text, void *out, struct err *e);

/* struct value_format: lp, json or csv for points, portable or legacy for a set; or of points alone. */
int value_format(const char *text, void *out, struct err *e);
int value_points(const char *text, void *out, struct err *e);

/* int, for an enum compress: zstd or gzip; enum log_level; enum dump_names: colons or compact. */
int value_compress(const char *text, void *out, struct err *e);
int value_level(const char *text, void *out, struct err *e);
int value_names(const char *text, void *out, struct err *e);

/* int, for an enum merge_mode: ours or theirs. */
int value_merge(const char *text, void *out, struct err *e);

/* struct cut_rules: the space that cuts leave free, as a part of the disk (5%) or in bytes with K,
 * M, G or T for powers of 1024; the part of the store that a cut may lose, or off; the databases
 * that it leaves out, DB[:DB…], where \: is a colon of a name; value_rules_clear frees the names. */
int value_reserve(const char *text, void *out, struct err *e);
int value_guard(const char *text, void *out, struct err *e);
int value_exclude(const char *text, void *out, struct err *e);

/* uint64_t, bytes a second: off, auto, or a rate of at least 1M, with the letters of sizes.
 * value_pace_text prints it. */
#define PACE_OFF UINT64_C(0)
#define PACE_AUTO UINT64_MAX
#define PACE_TEXT 24
int value_pace(const char *text, void *out, struct err *e);
const char *value_pace_text(uint64_t pace, char out[PACE_TEXT]);

/* unsigned, of enum hide: adds folders of the mount's root, with ':' or ',' between them. The enum is in
 * the order of their names in values.c. */
enum hide {
    HIDE_LIVE = 1 << 0,
    HIDE_SNAPSHOTS = 1 << 1,
    HIDE_AT = 1 << 2,
    HIDE_DUMP = 1 << 3,
    HIDE_RESTORE = 1 << 4,
    HIDE_DATABASES = 1 << 5,
    HIDE_BACKUP = 1 << 6,
};
int value_hide(const char *text, void *out, struct err *e);

struct cut_rules;
void value_rules_clear(struct cut_rules *r);

/* struct selection: the databases DB[:DB…]; the ids of shards ID[:ID…]. value_selection_clear frees
 * both lists. */
int value_databases(const char *text, void *out, struct err *e);
int value_shards(const char *text, void *out, struct err *e);

/* int32_t, since 1970: a date such as 2016-06-11; today or yesterday, by the clock and the time zone of
 * this machine. */
#define VALUE_NO_DAY INT32_MIN
int value_day(const char *text, void *out, struct err *e);

/* uint64_t: bytes, at least one, with K, M, G or T for powers of 1024. */
int value_size(const char *text, void *out, struct err *e);

/* size_t: likewise, at least 1M. */
int value_memory(const char *text, void *out, struct err *e);

/* bool: size (false) or read (true). */
int value_verify(const char *text, void *out, struct err *e);

/* char *, as value_text. A remote of rclone, as "swift:" or "s3:bucket/base", or a folder by its whole
 * path; without parameters, which might be secrets. The first 8 digits at least of a store's id. */
int value_remote(const char *text, void *out, struct err *e);
int value_store_id(const char *text, void *out, struct err *e);

struct selection;
void value_selection_clear(struct selection *s);

#endif
