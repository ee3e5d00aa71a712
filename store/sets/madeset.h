/* SPDX-License-Identifier: MIT */
/*
 * A set, as `influxd backup` writes it, made of a capture: a list of files, each of which gives any
 * of its bytes at any time. The real `influxd restore` takes it.
 *
 *   portable   <UTC>.manifest  <UTC>.meta  <UTC>.sID.tar.gz      (influxdb cmd/influxd/backup_util)
 *   legacy     meta.00  DB.RP.NNNNN.00
 *
 * UTC is when the capture's state was first captured (20160611T120000Z), so that the names, sizes,
 * times and bytes of a set are a function of the capture. Each shard that has points is a file; it
 * has the time of the newest file of the shard, the others that of the state.
 *
 * What WAL and tombstones know is merged into the TSM files, since the real restore drops both
 * (madeshards.h). The metastore of a portable set is as small as it can be, since servers before
 * 1.8.10 may fail to read a large one: databases and shard groups with points, and all policies of
 * these databases; neither users nor continuous queries, which the real restore ignores, nor
 * subscriptions, whose receivers would get all points twice; so the manifest says `limited`. That of a legacy set is the store's own,
 * but for shards whose ids end in 0: the real restore strips zeros from the ends of an id, so they get
 * another one (madeset_names.h).
 *
 * What the real restore cannot take is not in the set. A file `left_out` (legacy) or <UTC>.left_out
 * (portable) names it, and what the capture itself leaves out; it is only there if there is such.
 *
 * Safe in any thread. Errors are -errno, with a message; -EINTR when the reader interrupts.
 */
#ifndef INFLUXFS_SETS_MADESET_H
#define INFLUXFS_SETS_MADESET_H

#include "store/sets/madeshards.h"

enum madeset_format { MADESET_PORTABLE, MADESET_LEGACY };

struct madeset_query {
    enum madeset_format format;
    const char *db;  /* this database alone; NULL: all. A portable one only. */
    bool cut;        /* of shards of the capture, some points are left out */
    unsigned run;    /* the NN of a legacy set */
    int64_t base_ns; /* the time in the names of a portable set; 0: the capture's own */
};

struct madeset;

/* Takes a reference to m. -ENOENT: db is not there or has no points; -EIO: a file of the store cannot
 * be read; -EBADMSG: meta.db is damaged; -ENOMEM. */
int madeset_new(struct madeshards *m, const struct madeset_query *q, struct madeset **out,
                struct err *e);
void madeset_free(struct madeset *s); /* nothing of it may be open; NULL is allowed */
static inline void madeset_freep(struct madeset **s)
{
    madeset_free(*s);
}

/* The files, in an order in which they can be written: a portable set's manifest is the last, and a
 * legacy set's meta.NN. */
size_t madeset_count(const struct madeset *s);
const char *madeset_name(const struct madeset *s, size_t i);
int64_t madeset_mtime_ns(const struct madeset *s, size_t i);
/* The file with this name; false: there is none. */
bool madeset_find(const struct madeset *s, const char *name, size_t *i);

/* What is not in the set, though the capture has it: a line each. counts: points are lacking; else it
 * is a database without any. */
size_t madeset_lacks(const struct madeset *s);
const char *madeset_lack(const struct madeset *s, size_t i, bool *counts);

/* The size of file i, exact before it is opened. What has to be made for it is made once; sizes are
 * remembered in the catalogue. */
int madeset_size(struct madeset *s, size_t i, const struct tarball_reader *reader, uint64_t *size,
                 struct err *e);

/* An open file. */
struct setfile;

int madeset_open(struct madeset *s, size_t i, const struct tarball_reader *reader,
                 struct setfile **out, struct err *e);
void setfile_close(struct setfile *f); /* NULL is allowed */
static inline void setfile_closep(struct setfile **f)
{
    setfile_close(*f);
}

/* Reads n bytes at off, fewer only at the end of the file (0 at or after it). The CRC at the end of a
 * portable file is found while a reader goes through it in order; a read of the end alone reads what
 * is missing for it. */
ssize_t setfile_read(struct setfile *f, void *buf, size_t n, uint64_t off,
                     const struct tarball_reader *reader, struct err *e);

/* The name for "20160611T120000Z" of this time. */
#define MADESET_BASE 17
void madeset_base(int64_t ns, char out[MADESET_BASE]);

#endif
