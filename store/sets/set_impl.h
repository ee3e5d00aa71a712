/* SPDX-License-Identifier: MIT */
/* What a set is made of, for the files set_*.c alone: each of them fills a part, in this order. */
#ifndef INFLUXFS_SETS_SET_IMPL_H
#define INFLUXFS_SETS_SET_IMPL_H

#include "store/base/sha256.h"
#include "store/influx/metaedit.h"
#include "store/sets/set.h"

/* A metastore of the set: one for each run. */
struct set_run {
    char *meta;    /* its file */
    uint64_t size; /* of a portable one: what the manifest says of its bytes */
    uint64_t order;
    bool limited; /* its manifest says that it is not all of a server, */
    bool whole;   /* or that it holds all of its shards */

    /* set_gone.c. Nanoseconds. */
    int64_t began_ns;
    int64_t oldest_ns; /* the time of its oldest TSM file */
    int64_t min, max;  /* of points in TSM files that were not cut */
};

enum set_fate {
    SET_UNKNOWN, /* no metastore knows the shard */
    SET_LEFT,    /* an older one does, and it was not asked for; or it is not selected */
    SET_TAKEN,
};

/* A tar with files of one shard. */
struct set_archive {
    char *name;
    char *db, *rp;  /* NULL: as no metastore has said yet where the dot is */
    size_t prefix;  /* of a legacy one: how many bytes of the name are DB.RP */
    uint64_t id;    /* of the shard */
    uint64_t as;    /* its id in the snapshot */
    uint64_t order; /* of runs: a greater one is newer */
    uint64_t bytes; /* of the file */
    uint64_t tar;   /* of the tar in it, by the manifest; UINT64_MAX: not said */
    enum set_fate fate;
};

/* A file of the snapshot. */
struct set_file {
    char *name;      /* data/DB/RP/ID/… */
    size_t archive;  /* that holds it, */
    uint64_t member; /* as its member of this number */
    uint64_t size;
    int64_t mtime_ns;
    int64_t min, max; /* of a TSM file's points, if there are several runs */
    uint64_t at;      /* of a tombstone: where it is in the temporary file */
    uint32_t crc;     /* of all its bytes, as it came */
    bool dropped;     /* while it is decided what counts */
    uint8_t sum[SHA256_BYTES];
};

struct set_out; /* set_snapshot.c */

struct set {
    int folder;
    char *title; /* of the folder, for messages */
    struct set_options o;

    /* set_list.c: what lies there */
    enum set_name kind;
    struct set_run *runs; /* the oldest first; at least one */
    size_t nruns;
    struct set_archive *archives; /* by shard, then in their order */
    size_t narchives;
    size_t pending; /* files of runs that broke off */

    /* set_shards.c: what the metastores know */
    bool part;             /* it is not all of the server */
    size_t users, queries; /* that the metastore holds */
    void *meta;
    size_t nmeta;
    int64_t created_ns;
    struct omissions left_out;

    /* set_files.c: what is in the archives; by archive and member */
    struct set_file *files;
    size_t nfiles;
    int stones;       /* a temporary file of tombstones (set_stones.h); -1: none */
    uint64_t nstones; /* its bytes */
    size_t spread;    /* tombstones that count for older files too */

    struct manifest *manifest; /* set_snapshot.c */
    struct set_out *out;
    struct set_said {
        char *text;
        bool warns;
    } * notes;
    size_t nnotes;
};

/* Each 0 or -errno with a message. */
int set_list(struct set *s, struct err *e);
int set_shards(struct set *s, struct err *e);
int set_files(struct set *s, struct err *e);
int set_snapshot(struct set *s, struct err *e);
void set_snapshot_free(struct set *s);
int set_say(struct set *s); /* set_notes.c; -ENOMEM */

/* The end of the run of archives of one shard that begins at i. */
size_t set_shard_end(const struct set *s, size_t i);

/* Adds a note, or a warning. -ENOMEM. */
int set_add_note(struct set *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int set_add_warning(struct set *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Opens a plain file of the set. -EBADMSG: a link, or another thing; -ENOENT. */
int set_open_file(int folder, const char *name, uint64_t *size, struct err *e);

#endif
