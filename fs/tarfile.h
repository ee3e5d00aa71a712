/* SPDX-License-Identifier: MIT */
/* An open tar: what now.tar, its names and the tars of cuts have in common. A branch embeds the
 * handle, and opens and releases it itself; reading is shared. */
#ifndef INFLUXFS_FS_TARFILE_H
#define INFLUXFS_FS_TARFILE_H

#include "fs/ahead.h"
#include "fs/fs.h"

/* A tar's node, the first member of the branch's own. Its tar, and so all of this, never
 * changes. */
struct tarfile_node {
    struct node node;
    uint64_t size;
    int64_t mtime_ns;
};

struct tarfile {
    struct handle h;
    struct tarball *tarball; /* which the branch keeps, as the name, while the handle is open */
    const char *name;        /* for status.json */
    bool is_backup;          /* when all of it was read, that is a backup of the store */
    int64_t opened_ns;       /* monotonic */
    struct ahead ahead;
    pthread_mutex_t lock;
    uint64_t front; /* the reader has read everything before; guarded by lock */
};

void tarfile_init(struct fs *fs, struct tarfile *f, struct tarball *t, const char *name);
void tarfile_clear(struct tarfile *f); /* waits for what is still being read ahead */

/* For the node's operations. Reading: -EIO, with the reason in status.json; -EINTR. */
int tarfile_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st);
ssize_t tarfile_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off);
void tarfile_has_read(struct handle *h, size_t n, uint64_t off);

#endif
