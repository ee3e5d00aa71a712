/* SPDX-License-Identifier: MIT */
/*
 * Files held open, so that they stay readable after influxd unlinks them.
 *
 * A table holds each file once for all captures: a capture opens only files that are new since the
 * last one. A held file is identified by device and inode, which cannot be reused while it is held.
 * Each takes one descriptor, as in influxd, which has all TSM files open too: a limit that suffices
 * for influxd suffices here. Everything here locks itself and is safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_HELD_H
#define INFLUXFS_SNAPSHOT_HELD_H

#include "store/base/err.h"
#include "store/base/sha256.h"

#include <stdbool.h>
#include <sys/stat.h>

struct held_table;
struct held;
struct watches;

/* What a tar says of a file or folder. */
struct file_attr {
    uint64_t size;    /* bytes; 0 for a folder */
    int64_t mtime_ns; /* since 1970 */
    mode_t mode;      /* with the file type */
    uid_t uid;
    gid_t gid;
};

struct file_attr file_attr_of(const struct stat *st);

/* Raises the limit on open files as far as allowed, up to a million. Call at process start, before
 * the first table. */
void held_raise_limit(void);

/* How many files may be held by this process, once its limit has been raised. */
size_t held_limit(void);

struct held_table *held_table_new(void);    /* NULL when out of memory */
void held_table_free(struct held_table *t); /* every file must have been released */

/* The watched folders of held files, for the one thread that takes captures; as long as t. */
struct watches *held_watches(struct held_table *t);

/* Holds the regular file dirfd/name, opening it unless it is held already, and gives its current
 * stat. fresh: most likely not held yet, so it is opened without a look-up. Links are not followed:
 * -ELOOP; other non-regular files: -EINVAL; -ENFILE: seven eighths of the process's limit are held, or
 * all but some ten thousand.
 * The caller owes one held_put. */
int held_get(struct held_table *t, int dirfd, const char *name, bool fresh, struct held **out,
             struct stat *st);
/* -ENFILE, with a message that names what could not be opened. */
int held_no_more(const char *what, struct err *e);

struct held *held_ref(struct held *h);
void held_put(struct held *h); /* closes the file when its last user is gone; NULL is allowed */

int held_fd(const struct held *h); /* stays the table's; for pread(2) and fstat(2) */

/* Links the file as dirfd/name, by link(2). -ENOENT: it has no name any more; -EXDEV, -EPERM,
 * -EMLINK, …: it cannot be linked there. */
int held_link(const struct held *h, int dirfd, const char *name);
ino_t held_inode(const struct held *h);

bool held_is(const struct held *h, const struct stat *st); /* same device and inode */

/* The sum of the whole file with these attributes, if known. */
bool held_sum(struct held *h, const struct file_attr *as, uint8_t out[SHA256_BYTES]);
void held_set_sum(struct held *h, const struct file_attr *as, const uint8_t sum[SHA256_BYTES]);

/* Marks a TSM file or tombstone as damaged. */
void held_set_damaged(struct held *h);
bool held_damaged(const struct held *h);
/* Whether any file that its table holds is. */
bool held_any_damaged(const struct held *h);

/* How far a WAL segment has been found to hold complete entries without a gap; 0 at first, and when
 * it has another time now and no more bytes: influxd only appends, so another program wrote to it. */
uint64_t held_scanned(struct held *h, const struct file_attr *as);
void held_set_scanned(struct held *h, const struct file_attr *as, uint64_t good);

#endif
