/* SPDX-License-Identifier: MIT */
/*
 * Nodes: what the kernel knows by number, and what each kind of them can do.
 *
 * A node's number (FUSE's inode) is never used again while the mount lasts, so no generations are
 * needed; it is not the st_ino that users see. A node lives while the kernel has looked it up, a
 * handle is open on it, or a branch of the tree keeps it (pins). The table locks itself; a branch
 * guards what its own nodes hold.
 *
 * Cache policy, one row for each class of nodes (seconds; 0: the kernel asks each time):
 *
 *   class      entry  attr     data
 *   folder     60     60       -            the fixed folders; attr of those that list cuts: 1
 *   live       0      0        page cache, dropped at open; an open file pins its inode
 *   now        0      for ever direct       entry: the asking process decides; a node never changes
 *   cut        1      for ever direct       a tar of a cut; entry of base.tar and latest.tar: 0
 *   view       ever   for ever page cache   files of a cut; entry of at/N: 1, of at/latest: 0
 *   drop       0      0        direct       restore/ and what is copied there
 *   dump       0      for ever direct       a dump, made as it is read; its folders: attr 60
 *   text       0      0        direct       status files, made when they are opened
 */
#ifndef INFLUXFS_FS_NODE_H
#define INFLUXFS_FS_NODE_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <uthash.h>

#define NODE_FOR_EVER 31536000.0

struct fs;
struct node;
struct handle;

/* Who asks. */
struct request {
    struct fs *fs;
    fuse_req_t req;
    const struct fuse_ctx *ctx;
};

/* True when the caller got a signal that ends it (caller.h), or the mount comes to its end: for
 * waits of the store. ctx is a struct request. */
bool request_interrupted(void *ctx);

/* An open file or folder. Branches embed it as the first member of their own. */
struct handle {
    struct node *node;
};

/* A folder's names as they were when it was opened. */
struct names {
    struct {
        char *name;
        ino_t ino;
        mode_t type;
    } * at;
    size_t n;
    int error; /* what ends the list, behind the last name; 0: nothing is missing */
};
int names_add(struct names *l, const char *name, ino_t ino, mode_t type);
void names_clear(struct names *l);

/* What a class of nodes does. Everything returns 0 or -errno; what is NULL gives EROFS if it would
 * change something, else the natural error. Nodes handed out are pinned for the caller. */
struct node_ops {
    double entry_timeout, attr_timeout;
    bool direct; /* its data bypasses the page cache */
    bool keep;   /* its data never changes: the page cache outlives the last close */

    int (*getattr)(struct request *r, struct node *n, struct handle *h, struct stat *st);
    void (*free)(struct node *n); /* the last pin and look-up are gone */

    /* Folders */
    int (*lookup)(struct request *r, struct node *dir, const char *name, struct node **child);
    int (*list)(struct request *r, struct node *dir, struct names *out);
    int (*create)(struct request *r, struct node *dir, const char *name, mode_t mode, int flags,
                  struct node **child, struct handle **h);
    int (*mkdir)(struct request *r, struct node *dir, const char *name, mode_t mode,
                 struct node **child);
    int (*unlink)(struct request *r, struct node *dir, const char *name, bool folder);
    int (*rename)(struct request *r, struct node *dir, const char *name, struct node *to,
                  const char *to_name, unsigned flags);

    /* Files */
    int (*open)(struct request *r, struct node *n, int flags, struct handle **h);
    /* Up to n bytes at off into *buf, which may be exchanged for another of its size. */
    ssize_t (*read)(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off);
    /* Called after each read that gave n bytes at off, once the reader has them; may be NULL. The
     * handle must not be freed in between, though the reader may have closed it. */
    void (*has_read)(struct handle *h, size_t n, uint64_t off);
    int (*write)(struct request *r, struct handle *h, const void *buf, size_t n, uint64_t off);
    int (*flush)(struct request *r, struct handle *h);
    void (*release)(struct handle *h); /* frees it, but for the pin on its node */
    int (*readlink)(struct request *r, struct node *n, char *buf, size_t n_max);

    /* Both */
    int (*setattr)(struct request *r, struct node *n, struct handle *h, const struct stat *st,
                   int to_set);
    int (*setxattr)(struct request *r, struct node *n, const char *name, const void *value,
                    size_t len, int flags);
    ssize_t (*getxattr)(struct request *r, struct node *n, const char *name, void *value,
                        size_t max); /* max 0: only the length */
    ssize_t (*listxattr)(struct request *r, struct node *n, char *list, size_t max);
    int (*removexattr)(struct request *r, struct node *n, const char *name);
};

struct node {
    uint64_t id;
    const struct node_ops *ops;
    uint64_t lookups; /* the kernel's */
    unsigned pins;    /* ours */
    UT_hash_handle hh;
};

struct node_table;
struct node_table *node_table_new(void);
/* Frees every node that is left, whatever the kernel thinks. */
void node_table_free(struct node_table *t);

/* Numbers the node and puts it in the table with one pin. root gets FUSE's number of the root. */
void node_add(struct node_table *t, struct node *n, bool root);
struct node *node_pin(struct node_table *t, uint64_t id); /* NULL: unknown */
void node_repin(struct node_table *t, struct node *n);    /* one more pin on a pinned node */
void node_unpin(struct node_table *t, struct node *n);
void node_looked_up(struct node_table *t, struct node *n); /* n is pinned */
void node_forget(struct node_table *t, uint64_t id, uint64_t count);

#endif
