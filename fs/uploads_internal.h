/* SPDX-License-Identifier: MIT */
/* The inside of restore/: the tree of names (uploads.c) and the operations on its files
 * (upload_file.c). */
#ifndef INFLUXFS_FS_UPLOADS_INTERNAL_H
#define INFLUXFS_FS_UPLOADS_INTERNAL_H

#include "fs/uploads.h"
#include "fs/xattrs.h"
#include "store/restore/upload.h"

#include <pthread.h>

struct upload_entry {
    struct node node;
    struct uploads *all;
    struct upload_entry *parent; /* NULL: restore/ itself, or taken out of the tree */
    struct upload_entry *children, *next;
    char *name;
    bool folder;
    mode_t mode; /* permission bits */
    uid_t uid;
    gid_t gid;
    int64_t atime_ns, mtime_ns;
    int64_t written_ns; /* the mtime of a refused file, whatever its tool sets */
    struct lifetime life;
    struct upload *upload; /* of a file; NULL once its time has come */
    uint64_t size;         /* what it had then */
    struct xattrs xattrs;
};

struct upload_handle {
    struct handle h;
    bool writer, wrote;
};

/* An upload that was removed by a process that did not wait for its end. */
struct orphan {
    struct upload *upload;
    struct orphan *next;
};

struct uploads {
    struct upload_entry root;
    struct orphan *orphans;
    struct fs *fs;
    struct node *log, *status;
    ino_t next_ino;
    pthread_mutex_t lock; /* guards the tree and its entries; not held while an upload works */
};

/* Whether a restore from a file of this name can begin; asked when it is opened, before anything is
 * copied. */
int upload_file_may_begin(struct request *r, const char *name);
/* Opens a file; with the lock. NULL: out of memory. */
struct handle *upload_file_handle(struct upload_entry *e, bool writer);

/* Operations (node.h) */
int upload_file_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st);
int upload_file_open(struct request *r, struct node *n, int flags, struct handle **h);
ssize_t upload_file_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off);
int upload_file_write(struct request *r, struct handle *h, const void *buf, size_t n, uint64_t off);
int upload_file_flush(struct request *r, struct handle *h);
void upload_file_release(struct handle *h);
int upload_file_setattr(struct request *r, struct node *n, struct handle *h, const struct stat *st,
                        int to_set);
int upload_file_setxattr(struct request *r, struct node *n, const char *name, const void *value,
                         size_t len, int flags);
ssize_t upload_file_getxattr(struct request *r, struct node *n, const char *name, void *value,
                             size_t max);
ssize_t upload_file_listxattr(struct request *r, struct node *n, char *list, size_t max);
int upload_file_removexattr(struct request *r, struct node *n, const char *name);
void upload_file_free(struct node *n);

#endif
