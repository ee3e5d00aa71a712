/* SPDX-License-Identifier: MIT */
/*
 * One shard of a running influxd, pinned by the window rule (window.h): its files are held open.
 *
 * Three steps: shard_pin_open lists and opens the files, shard_pin_cut_wal takes the sizes of the
 * WAL segments, shard_pin_recheck checks whether influxd changed anything in between. A shard_pin
 * is plain data, used by one thread at a time; a shard_set never changes and is shared. Functions
 * return 0 or -errno.
 */
#ifndef INFLUXFS_SNAPSHOT_SHARD_PIN_H
#define INFLUXFS_SNAPSHOT_SHARD_PIN_H

#include "store/snapshot/folder_seen.h"
#include "store/snapshot/run.h"
#include "store/snapshot/watch.h"

#include <limits.h>
#include <stdatomic.h>

struct shard_file { /* a WAL segment */
    const char *name;
    struct held *held;
    struct file_attr attr; /* as of the WAL cut */
};

/* A shard's TSM files and tombstones, by name. It never changes; later windows share it until the
 * shard's folder changes. */
struct shard_set {
    atomic_uint refs;
    struct member_run *run; /* the folder, the files, and index/ if there is one */
    struct member *files;   /* in the run */
    size_t n;
    struct shard_bad { /* TSM files that influxd has set aside: they are not in the set */
        const char *name;
        uint64_t size;
    } * bad;
    size_t nbad;
    struct watch watch; /* its files were as they are here when it began; under the user's lock */
};

struct shard_set *shard_set_ref(struct shard_set *set);
void shard_set_unref(struct shard_set *set); /* NULL is allowed */

struct shard_pin {
    char *path; /* "DB/RP/ID" */
    uint64_t id;
    struct folder_seen data, wal;
    bool has_wal;   /* the shard has a WAL folder */
    bool data_only; /* of an earlier pin: no WAL is looked for */
    bool has_index; /* a tsi1 shard: it has an index/ folder */
    struct shard_set *set;
    struct shard_file *segments; /* WAL segments, by name */
    size_t nsegments;
    char *segment_names;           /* memory of their names */
    struct member_run *wal_run;    /* what an earlier capture made of these segments, or the user of
                                   this one has; NULL: nothing yet */
    int64_t listed_ns, wal_cut_ns; /* monotonic: when its WAL was listed, and when cut */
    bool gone;                     /* its folder vanished while it was looked at */
    char *link;     /* the target, if its data folder is a symbolic link; else NULL */
    char *wal_link; /* likewise, if the path of its WAL folder leads through one */
    char *why;      /* the reason why it cannot be captured; then it holds nothing; else NULL */
};

/* Its database and policy, which the caller frees, after an error too. 0 or -ENOMEM. */
int shard_pin_names(const struct shard_pin *s, char **db, char **rp);

/* Where an error was met: the file, or "" for the folder. */
struct shard_where {
    bool in_wal;
    char file[NAME_MAX + 1];
};

/* First listing, skipped for each folder that is unchanged, with its files, since an earlier pin (may
 * be NULL). Releases the holdings of *s. -ENOENT: something vanished meanwhile; if the shard's folder did,
 * the shard is `gone`. *where is the place of any other error. */
int shard_pin_open(struct held_table *t, int data_fd, int wal_fd, const struct shard_pin *before,
                   struct shard_pin *s, struct shard_where *where);

/* The WAL cut. It takes only sizes and looks up no path, so that all shards are cut as close
 * together as possible. */
int shard_pin_cut_wal(struct shard_pin *s);
/* Whether no segment has been written to since. */
bool shard_pin_wal_cut_holds(const struct shard_pin *s);

/* Second listing: 0 if the set of TSM files and tombstones is the same and all WAL segments remain,
 * else -ESTALE. */
int shard_pin_recheck(int data_fd, int wal_fd, const struct shard_pin *s);

/* Whether its folders, files and segments are unchanged; false also if unsure. */
bool shard_pin_unchanged(struct watches *w, int data_fd, int wal_fd, const struct shard_pin *s);

/* Releases the holdings of *s; path, id and link stay. */
void shard_pin_clear(struct shard_pin *s);
void shard_pin_free(struct shard_pin *s); /* and these, but not s */

#endif
