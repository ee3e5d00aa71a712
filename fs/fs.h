/* SPDX-License-Identifier: MIT */
/*
 * The mounted file system: what all branches of the tree share.
 *
 * Lock order: a branch's own lock, then the node table's, then whatever the store takes. Nothing
 * is held while the kernel is notified or a reply is sent.
 */
#ifndef INFLUXFS_FS_FS_H
#define INFLUXFS_FS_FS_H

#include "fs/node.h"
#include "store/chain/cut_links.h"
#include "store/chain/cuts.h"
#include "store/influx/paths.h"
#include "store/program/options.h"
#include "store/restore/session.h"
#include "store/snapshot/snapshots.h"

#include <stdatomic.h>

struct named;
struct now;
struct pace;
struct cutfiles;
struct cutter;
struct views;
struct drops;
struct dumps;
struct status;
struct space;

struct fs {
    const struct options *options;
    const struct store_paths *paths;
    const char *mountpoint; /* as the kernel names it */
    const char *state;      /* the state folder, or NULL if there is none to write to */
    const char *lacks;      /* in words, what is missing without it; or "" */
    atomic_uint uid;        /* who owns what is not the store's own file; a restore may change it */
    atomic_uint gid;
    struct node_table *nodes;
    struct snapshots *snapshots;
    struct cuts *cuts;       /* NULL without a state folder */
    struct cut_links links;  /* whether they can keep files as links, as of the mount */
    struct session *restore; /* NULL when mounted with `ro` */
    struct now *now;
    struct named *named;
    struct pace *pace; /* of whoever reads a tar */
    struct cutfiles *cutfiles;
    struct views *views;
    struct dumps *dumps;
    struct cutter *cutter; /* NULL when nothing is to be cut or folded here */
    struct drops *drops;
    struct status *status;
    struct space *space;
    struct fuse_session *session;
    int64_t started_ns; /* wall clock: the time of the fixed folders */
};

/* st_ino of what is not a file of the store. The tars of cuts have ranges of their own
 * (cutfile.c); files of the store have a high bit set, in live/ one of two, in at/ a third, of
 * dumps a fourth. */
enum {
    INO_ROOT = 1,
    INO_LIVE,
    INO_SNAPSHOTS,
    INO_RESTORE,
    INO_STATUS,
    INO_NOW,
    INO_RESTORE_LOG,
    INO_RESTORE_STATUS,
    INO_AT,
    INO_BASE,
    INO_LATEST,
    INO_DUMP,
    INO_NAMED_FOLDER,
    INO_DROPS = 1 << 16, /* the first of those in restore/ */
};
#define INO_NAMED ((ino_t)1 << 42) /* a bit of those in snapshots/now/; a hash is below it */

/* Fills in a file or folder that belongs to the store's owner. mode carries the type. */
void fs_attr(const struct fs *fs, struct stat *st, ino_t ino, mode_t mode, uint64_t size,
             int64_t mtime_ns);

/* Lets the options uid=, gid= and umask= have their way with an attribute. */
void fs_mask(const struct fs *fs, struct stat *st);

/* A hash of n bytes and what was hashed before them (first FS_HASH): for st_ino. */
#define FS_HASH UINT64_C(0xcbf29ce484222325)
uint64_t fs_hash(uint64_t hash, const void *p, size_t n);

/* The low-level operations; userdata is a struct fs. */
extern const struct fuse_lowlevel_ops fs_ops;

/* The root, with all branches below it. */
int fs_tree_new(struct fs *fs);

#endif
