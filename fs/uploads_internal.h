/* SPDX-License-Identifier: MIT */
/* The inside of restore/: what may enter it (upload_entrance.c), the tree of names
 * (upload_tree.c), attributes (upload_attr.c), the bytes of files (upload_file.c), what is asked of
 * folders (upload_folder.c), and all that together (uploads.c). */
#ifndef INFLUXFS_FS_UPLOADS_INTERNAL_H
#define INFLUXFS_FS_UPLOADS_INTERNAL_H

#include "fs/uploads.h"
#include "fs/xattrs.h"
#include "store/restore/upload.h"
#include "store/sets/arrival.h"

#include <limits.h>
#include <pthread.h>

struct upload_entry {
    struct node node;
    struct uploads *all;
    struct upload_entry *parent; /* NULL: restore/ itself, or taken out of the tree */
    struct upload_entry *children, *next;
    char *name;
    bool folder;
    bool fixed;  /* restore/ itself, as/ and merge/{ours,theirs}/: always there, and the owner's */
    mode_t mode; /* permission bits */
    uid_t uid;
    gid_t gid;
    int64_t atime_ns, mtime_ns;
    int64_t written_ns; /* the mtime of a refused file, whatever its tool sets */
    struct lifetime life;
    struct upload *upload;      /* of a snapshot's file; NULL once its time has come */
    uint64_t size;              /* what it had then */
    struct arrival *set;        /* of a folder: the set that arrives in it; or NULL */
    struct arrival_file *piece; /* of a file of a set */
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
    const struct node_ops *set_file_ops;
    ino_t next_ino;
    int64_t checked_ns;   /* when a restore could begin, at last; monotonic */
    pthread_mutex_t lock; /* guards the tree and its entries; not held while an upload works */
};

/* The tree (upload_tree.c); all with the lock. */

/* The entry of that name in a folder; NULL. */
struct upload_entry *upload_tree_find(const struct upload_entry *dir, const char *name);
/* The path of name in dir, below restore/. -ENAMETOOLONG. */
int upload_tree_path(const struct upload_entry *dir, const char *name, char out[PATH_MAX]);
/* Adds an entry of the caller's, with two pins: the tree's and the caller's. The type is in mode; of
 * a file the caller sets upload or piece. ops: NULL: those of its folder. -ENOMEM. */
int upload_tree_add(struct request *r, struct upload_entry *dir, const char *name, mode_t mode,
                    const struct node_ops *ops, struct upload_entry **out);
/* Makes restore/ with its fixed folders; ops are those of all entries. -ENOMEM. */
int upload_tree_make(struct uploads *d, const struct node_ops *ops);
void upload_tree_put(struct upload_entry *dir, struct upload_entry *e);
void upload_tree_take(struct upload_entry *e);
/* Notes that it is used, and so the folders that it lies in. */
void upload_tree_use(struct upload_entry *e);

/* What is refused before anything is copied */

/* Whether a restore can begin now, from a file or folder of this name. */
int upload_may_begin(struct request *r, const char *name);
/* Says why what has this path below restore/ is refused, with this error, which it returns. */
int upload_refuse(struct request *r, const char *path, int code, const struct err *why);

/* Ends the upload of an entry that is not open, for the caller to free; only a name and a size
 * remain. NULL: it has none. With the lock. */
struct upload *upload_file_end(struct upload_entry *e);
/* Opens a file; with the lock. NULL: out of memory. */
struct handle *upload_file_handle(struct upload_entry *e, bool writer);

/* Sets of `influxd backup` (upload_set.c) */

/* Makes a file of a set, whose path below restore/ is given, as the operation create. */
int upload_set_create(struct request *r, struct upload_entry *dir, const char *name,
                      const char *path, mode_t mode, struct node **child, struct handle **h);
/* Renames one, but for the tree: *moves says whether it has the new name, whatever the verdict. */
int upload_set_rename(struct request *r, struct upload_entry *e, struct upload_entry *to,
                      const char *to_name, bool *moves, struct err *why);
/* Ends the sets whose time has come. */
void upload_set_expire(struct uploads *d);
/* Whether a folder has a set that must stay; with the lock. */
bool upload_set_stays(const struct upload_entry *folder);

/* Operations (node.h) */
int upload_folder_lookup(struct request *r, struct node *dir, const char *name,
                         struct node **child);
int upload_folder_list(struct request *r, struct node *dir, struct names *out);
int upload_folder_create(struct request *r, struct node *dir, const char *name, mode_t mode,
                         int flags, struct node **child, struct handle **h);
int upload_folder_mkdir(struct request *r, struct node *dir, const char *name, mode_t mode,
                        struct node **child);
int upload_folder_unlink(struct request *r, struct node *dir, const char *name, bool folder);
int upload_folder_rename(struct request *r, struct node *dir, const char *name, struct node *to_dir,
                         const char *to_name, unsigned flags);
int upload_file_open(struct request *r, struct node *n, int flags, struct handle **h);
ssize_t upload_file_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off);
int upload_file_write(struct request *r, struct handle *h, const void *buf, size_t n, uint64_t off);
int upload_file_flush(struct request *r, struct handle *h);
void upload_file_release(struct handle *h);
struct handle *upload_set_handle(struct upload_entry *e, struct arrival_handle *of);
int upload_set_open(struct request *r, struct node *n, int flags, struct handle **h);
ssize_t upload_set_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off);
int upload_set_write(struct request *r, struct handle *h, const void *buf, size_t n, uint64_t off);
int upload_set_flush(struct request *r, struct handle *h);
void upload_set_release(struct handle *h);
int upload_attr_get(struct request *r, struct node *n, struct handle *h, struct stat *st);
int upload_attr_set(struct request *r, struct node *n, struct handle *h, const struct stat *st,
                    int to_set);
int upload_attr_setxattr(struct request *r, struct node *n, const char *name, const void *value,
                         size_t len, int flags);
ssize_t upload_attr_getxattr(struct request *r, struct node *n, const char *name, void *value,
                             size_t max);
ssize_t upload_attr_listxattr(struct request *r, struct node *n, char *list, size_t max);
int upload_attr_removexattr(struct request *r, struct node *n, const char *name);
void upload_entry_free(struct node *n);

#endif
