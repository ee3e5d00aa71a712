/* SPDX-License-Identifier: MIT */
/*
 * Files held open, so that what influxd unlinks stays readable.
 *
 * A table holds each file once for all captures: a capture of a store that hardly changed since the
 * last one opens only what is new. A held file is identified by device and inode; while it is held
 * its inode number cannot be used again. It takes one descriptor of the process, as it does of
 * influxd, whose TSM files are all open too: a limit that influxd can work with will do.
 *
 * Everything here locks itself and is safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_HELD_H
#define INFLUXFS_SNAPSHOT_HELD_H

#include "store/base/err.h"
#include "store/base/sha256.h"

#include <stdbool.h>
#include <sys/stat.h>

struct held_table;
struct held;

/* What a tar says of a file or folder. */
struct file_attr {
    uint64_t size;    /* bytes; 0 for a folder */
    int64_t mtime_ns; /* since 1970 */
    mode_t mode;      /* with the file type */
    uid_t uid;
    gid_t gid;
};

struct file_attr file_attr_of(const struct stat *st);

/* Raises the limit on open files as far as it may be, but not beyond a million. At the start of a
 * process, before the first table. */
void held_raise_limit(void);

struct held_table *held_table_new(void);    /* NULL when out of memory */
void held_table_free(struct held_table *t); /* every file must have been released */

/* Holds the regular file dirfd/name, opening it if no capture holds it yet, and gives its stat as
 * of now. fresh: it is most likely not held yet, and is opened without looking first. Links are not
 * followed: -ELOOP; anything else but a regular file: -EINVAL; -ENFILE: seven eighths of the open
 * files that the process may have are held. The caller owes one held_put. */
int held_get(struct held_table *t, int dirfd, const char *name, bool fresh, struct held **out,
             struct stat *st);
/* -ENFILE, with a message that names what could not be opened. */
int held_no_more(const char *what, struct err *e);

struct held *held_ref(struct held *h);
void held_put(struct held *h); /* closes the file when its last user is gone; NULL is allowed */

int held_fd(const struct held *h); /* stays the table's; for pread(2) and fstat(2) */

/* Gives the file one more name, dirfd/name, as link(2) does. -ENOENT: it has no name any more;
 * -EXDEV, -EPERM, -EMLINK, …: it cannot be linked there. */
int held_link(const struct held *h, int dirfd, const char *name);
ino_t held_inode(const struct held *h);

bool held_is(const struct held *h, const struct stat *st); /* same device and inode */

/* The sum of the whole file as it is with these attributes, if it is known. */
bool held_sum(struct held *h, const struct file_attr *as, uint8_t out[SHA256_BYTES]);
void held_set_sum(struct held *h, const struct file_attr *as, const uint8_t sum[SHA256_BYTES]);

/* A TSM file or tombstone that was looked into and is not whole. */
void held_set_damaged(struct held *h);
bool held_damaged(const struct held *h);

/* How far a WAL segment has been found to hold complete entries without a gap; 0 at first, and when
 * it has another time now and no more bytes: influxd only appends, so another program wrote to it. */
uint64_t held_scanned(struct held *h, const struct file_attr *as);
void held_set_scanned(struct held *h, const struct file_attr *as, uint64_t good);

#endif
