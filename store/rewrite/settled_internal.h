/* SPDX-License-Identifier: MIT */
/* Shared by what makes the files of a settled shard: settled_tsm.c those that have tombstones,
 * settled_wal.c that of the WAL; settled_files.c keeps them. */
#ifndef INFLUXFS_REWRITE_SETTLED_INTERNAL_H
#define INFLUXFS_REWRITE_SETTLED_INTERNAL_H

#include "store/influx/tsmwriter.h"
#include "store/rewrite/settled.h"

struct settled_entry {
    struct settled_file file;
    char *name;      /* file.name, if it is not that of a member */
    uint64_t offset; /* of a made file in s->fd */
};

struct settled {
    const struct capture *capture;
    int fd;       /* of all made files; -1: none is made */
    uint64_t end; /* of the last one */
    struct settled_entry *entries;
    size_t n;
};

/* Where a tsmwriter's files go. */
struct settled_output {
    struct settled *s;
    const struct settled_query *q;
    const char *name; /* of the only file, a member's; NULL: those that follow the shard's files */
    int64_t mtime_ns;
};

/* A writer to *o, which must outlive it. */
int settled_writer(struct settled_output *o, struct tsmwriter **out, struct err *e);

/* Adds TSM file i of the shard: passed through, made, or nothing. */
int settled_add_tsm(struct settled *s, const struct settled_query *q, size_t i, struct err *e);

/* Adds what the WAL holds. */
int settled_add_wal(struct settled *s, const struct settled_query *q, struct err *e);

/* Adds a file that is passed through. 0 or -ENOMEM. */
int settled_pass(struct settled *s, const struct settled_query *q, size_t member, struct err *e);

/* The later one of this time and the member's. */
int64_t settled_later(const struct settled_query *q, size_t member, int64_t mtime_ns);

#endif
