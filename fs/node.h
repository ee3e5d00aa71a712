/* SPDX-License-Identifier: MIT */
/*
 * Nodes: what the kernel knows by number, and what each kind of node can do.
 *
 * A node's number (FUSE's inode, not the st_ino of ino.h) is never reused while the mount lasts. The
 * generation, which all nodes share, is another for each mount (fs.h), so that a file handle
 * (name_to_handle_at) never leads to another file than the one it was made of. A node lives while
 * the kernel has looked it up, a handle is open on it, or a branch keeps it (pins). The table locks
 * itself; a branch guards the contents of its nodes.
 *
 * A node that is looked up again and again has a key, unique within its kind. How long the kernel
 * may remember a node depends on its kind alone (table in node.c).
 */
#ifndef INFLUXFS_FS_NODE_H
#define INFLUXFS_FS_NODE_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* An entry that memory did not suffice for has hh.tbl NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct request;
struct node;
struct handle;

enum node_kind {
    NODE_FOLDER,      /* a fixed folder */
    NODE_CUTS_FOLDER, /* a fixed folder that lists cuts */
    NODE_LIVE,        /* the store's own files and folders */
    NODE_NOW,         /* a tar of the store as it is */
    NODE_CUT,         /* a tar of a cut, by a name that is the cut's own */
    NODE_CUT_MOVING,  /* by one that goes from cut to cut: base.tar, latest.tar */
    NODE_VIEW,        /* at/N */
    NODE_VIEW_MOVING, /* at/latest */
    NODE_VIEW_ENTRY,  /* files and folders of a cut */
    NODE_UPLOAD,      /* restore/, and what is copied there */
    NODE_DUMP_FOLDER,
    NODE_DUMP, /* text that is made as it is read */
    NODE_BACKUP_FOLDER,
    NODE_BACKUP, /* files of backup/ */
    NODE_TEXT,   /* text that is made when it is opened */
    NODE_KINDS
};

/* What the kernel may remember, in seconds; 0: it asks each time. */
struct cache_policy {
    double entry;  /* that the name stands for the node */
    double attr;   /* its attributes */
    double absent; /* of a folder: that a name is not there */
    bool direct;   /* its data bypass the page cache */
    bool keep;     /* its data never change: the page cache outlives the last close */
};

/* An open file or folder; the first member of a branch's own handle. */
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
    int error; /* what ends the list, after the last name; 0: nothing is missing */
};
int names_add(struct names *l, const char *name, ino_t ino, mode_t type);
void names_clear(struct names *l);

/* The operations of a class of nodes: 0 or -errno. NULL gives EROFS for a change, else the natural
 * error. Nodes handed out are pinned for the caller. */
struct node_ops {
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
    /* Reads up to n bytes at off into *buf, which may be exchanged for another of its size. */
    ssize_t (*read)(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off);
    /* Called once the reader has the n bytes at off; may be NULL. The reader may have closed the
     * handle, but it must not be freed until this returns. */
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
    enum node_kind kind;
    ino_t ino, up;    /* st_ino, its own and that of its folder */
    uint64_t lookups; /* the kernel's */
    unsigned pins;    /* ours */
    UT_hash_handle by_id, by_key;
};

/* Call before adding. dir is the folder in which it was found; NULL: the root. */
void node_init(struct node *n, const struct node_ops *ops, enum node_kind kind, ino_t ino,
               const struct node *dir);
/* A plain node, added, with one pin, in the root; its ops have node_free. -ENOMEM. */
struct node_table;
int node_new(struct node_table *t, const struct node_ops *ops, enum node_kind kind, ino_t ino,
             struct node **out);
void node_free(struct node *n); /* whatever owns nothing but its memory */

const struct cache_policy *node_policy(const struct node *n);

struct node_table *node_table_new(void); /* NULL: out of memory */
/* Frees every node that is left, whatever the kernel thinks. Newest first, so that a node may pin
 * its folder. */
void node_table_free(struct node_table *t);

/* Numbers the node and adds it with one pin. root gets FUSE's number of the root. -ENOMEM: it is
 * still the caller's. */
int node_add(struct node_table *t, struct node *n, bool root);

/* The node of this kind and key, pinned; or NULL. */
struct node *node_find(struct node_table *t, enum node_kind kind, const void *key, size_t nkey);
/* Adds n under a key, which must live as long as the node, and returns it pinned once. If the kind
 * has the key already, frees n and returns that node, pinned. -ENOMEM also frees n. */
int node_find_or_add(struct node_table *t, struct node *n, const void *key, size_t nkey,
                     struct node **out);

struct node *node_pin(struct node_table *t, uint64_t id); /* NULL: unknown */
void node_repin(struct node_table *t, struct node *n);    /* one more pin on a pinned node */
void node_unpin(struct node_table *t, struct node *n);
void node_looked_up(struct node_table *t, struct node *n); /* n is pinned */
void node_forget(struct node_table *t, uint64_t id, uint64_t count);

#endif
