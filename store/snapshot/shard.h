/* SPDX-License-Identifier: MIT */
/*
 * One shard of a running influxd, caught by the window rule (window.h).
 *
 * Three steps: shard_open lists and opens its files, shard_cut takes the sizes of its WAL segments,
 * shard_recheck finds out whether influxd changed anything in between. A struct shard is plain
 * data, used by one thread at a time; a shard_set never changes and is shared.
 */
#ifndef INFLUXFS_SNAPSHOT_SHARD_H
#define INFLUXFS_SNAPSHOT_SHARD_H

#include "store/base/err.h"
#include "store/snapshot/held.h"

#include <stdatomic.h>

struct shard_file {
    const char *name; /* within the shard's folder */
    struct held *held;
    struct file_attr attr; /* the size of a WAL segment is its cut */
};

/* A shard's TSM files and tombstones, by name. It never changes, and windows of later times share
 * it as long as the shard's folder does not change. */
struct shard_set {
    atomic_uint refs;
    struct shard_file *files;
    size_t n;
    struct shard_bad { /* TSM files that influxd has set aside: they are not in the set */
        const char *name;
        uint64_t size;
    } * bad;
    size_t nbad;
    char *names; /* memory of the names */
};

struct shard_set *shard_set_ref(struct shard_set *set);
void shard_set_unref(struct shard_set *set); /* NULL is allowed */

/* Which symbolic links are followed on the way to a folder. influxd opens whatever a shard's name
 * in a policy's folder leads to, and anything at all in the WAL. */
enum folder_follow { FOLLOW_NONE, FOLLOW_LAST, FOLLOW_ALL };

/* A folder as it was when it was listed: what tells quickly that nothing changed since. */
struct folder_seen {
    struct stat st;
    int64_t seen_ns; /* wall clock just before st was taken */
    enum folder_follow follow;
};

struct shard {
    char *path; /* "DB/RP/ID" */
    uint64_t id;
    struct folder_seen data, wal;
    bool has_wal;           /* the shard has a WAL folder */
    bool has_index;         /* a tsi1 shard: it has an index/ folder */
    struct file_attr index; /* of index/, if has_index */
    struct shard_set *set;
    struct shard_file *segments; /* WAL segments, by name */
    size_t nsegments;
    char *segment_names;       /* memory of their names */
    int64_t listed_ns, cut_ns; /* monotonic: when its WAL was listed, and cut */
    bool gone;                 /* its folder vanished while it was looked at */
    char *link;                /* the target, if its data folder is a symbolic link; else NULL */
    char *wal_link;            /* likewise, if the path of its WAL folder leads through one */
    char *why; /* it cannot be captured, for this reason; then it holds nothing; else NULL */
};

/* Whether a folder that could not be opened with result r is not there. */
bool shard_vanished(int r);

/* Opens root/path and takes its stat. The descriptor is the caller's. */
int folder_open(int root, const char *path, enum folder_follow follow, struct folder_seen *out);
/* Whether the folder is as it was when it was listed; false as well if that cannot be told. */
bool folder_same(int root, const char *path, const struct folder_seen *f);

/* First listing, spared where the folder and files are as they were in an earlier catch of it
 * (before; may be NULL). What *s held is let go. -ENOENT: something vanished meanwhile; a shard
 * whose folder has gone is `gone`. *in_wal says where an error was met. */
int shard_open(struct held_table *t, int data_fd, int wal_fd, const struct shard *before,
               struct shard *s, bool *in_wal);

/* The cut. Sizes only: no path is looked up, so that all shards are cut as close together as can
 * be. */
int shard_cut(struct shard *s);
/* Whether no segment has been written to since. */
bool shard_cut_holds(const struct shard *s);

/* Second listing: 0 if the TSM files and tombstones are the same set and no WAL segment has gone,
 * -ESTALE if not. */
int shard_recheck(int data_fd, int wal_fd, const struct shard *s);

/* Whether neither its folders nor its files nor its segments have changed; false as well if that
 * cannot be told. */
bool shard_unchanged(int data_fd, int wal_fd, const struct shard *s);

/* Lets go of what *s holds; path, id and link stay. */
void shard_clear(struct shard *s);
void shard_free(struct shard *s); /* and these, but not s */

#endif
