/* SPDX-License-Identifier: MIT */
/*
 * One shard of a running influxd, pinned by the window rule (window.h): its files are held open.
 *
 * Three steps: shard_pin_open lists and opens the files, shard_pin_cut_wal takes the sizes of the WAL
 * segments, shard_pin_recheck finds out whether influxd changed anything in between. A shard_pin is
 * plain data, used by one thread at a time; a shard_set never changes and is shared. Functions
 * return 0 or -errno.
 */
#ifndef INFLUXFS_SNAPSHOT_SHARD_PIN_H
#define INFLUXFS_SNAPSHOT_SHARD_PIN_H

#include "store/snapshot/folder_seen.h"
#include "store/snapshot/held.h"

#include <limits.h>
#include <stdatomic.h>

struct shard_file {
    const char *name; /* within the shard's folder */
    struct held *held;
    struct file_attr attr; /* of a WAL segment: as of the WAL cut */
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

struct shard_pin {
    char *path; /* "DB/RP/ID" */
    uint64_t id;
    struct folder_seen data, wal;
    bool has_wal;           /* the shard has a WAL folder */
    bool has_index;         /* a tsi1 shard: it has an index/ folder */
    struct file_attr index; /* of index/, if has_index */
    struct shard_set *set;
    struct shard_file *segments; /* WAL segments, by name */
    size_t nsegments;
    char *segment_names;           /* memory of their names */
    int64_t listed_ns, wal_cut_ns; /* monotonic: when its WAL was listed, and when cut */
    bool gone;                     /* its folder vanished while it was looked at */
    char *link;     /* the target, if its data folder is a symbolic link; else NULL */
    char *wal_link; /* likewise, if the path of its WAL folder leads through one */
    char *why;      /* it cannot be captured, for this reason; then it holds nothing; else NULL */
};

/* Its database and policy, which the caller frees, after an error too. 0 or -ENOMEM. */
int shard_pin_names(const struct shard_pin *s, char **db, char **rp);

/* Where an error was met: the file, or "" for the folder. */
struct shard_where {
    bool in_wal;
    char file[NAME_MAX + 1];
};

/* First listing, spared where the folder and files are as they were when it was pinned before (may
 * be NULL). What *s holds is released. -ENOENT: something vanished meanwhile; a shard whose folder
 * has gone is `gone`. *where says where another error was
 * met. */
int shard_pin_open(struct held_table *t, int data_fd, int wal_fd, const struct shard_pin *before,
                   struct shard_pin *s, struct shard_where *where);

/* The WAL cut. Sizes only: no path is looked up, so that all shards are cut as close together as
 * can be. */
int shard_pin_cut_wal(struct shard_pin *s);
/* Whether no segment has been written to since. */
bool shard_pin_wal_cut_holds(const struct shard_pin *s);

/* Second listing: 0 if the TSM files and tombstones are the same set and no WAL segment has gone,
 * -ESTALE if not. */
int shard_pin_recheck(int data_fd, int wal_fd, const struct shard_pin *s);

/* Whether neither its folders nor its files nor its segments have changed; false as well if that
 * is not sure. */
bool shard_pin_unchanged(int data_fd, int wal_fd, const struct shard_pin *s);

/* Releases what *s holds; path, id and link stay. */
void shard_pin_clear(struct shard_pin *s);
void shard_pin_free(struct shard_pin *s); /* and these, but not s */

#endif
