/* SPDX-License-Identifier: MIT */
/*
 * The mounted file system: what all branches of the tree share.
 *
 * Lock order: a branch's own lock, then the node table's, then whatever the store takes. Nothing
 * is held while the kernel is notified or a reply is sent.
 */
#ifndef INFLUXFS_FS_FS_H
#define INFLUXFS_FS_FS_H

#include "fs/counters.h"
#include "fs/ino.h"
#include "fs/material.h"
#include "fs/node.h"
#include "store/chain/cut_links.h"
#include "store/chain/cuts.h"
#include "store/influx/paths.h"
#include "store/influx/store_id.h"
#include "store/program/options.h"
#include "store/restore/session.h"
#include "store/snapshot/snapshots.h"

#include <stdatomic.h>

struct instants;
struct parts;
struct pace;
struct cutter;
struct views;
struct uploads;
struct dumps;
struct databases;
struct backups;
struct generated_files;
struct status;
struct space;
struct notify;
struct survey;
struct recorder;
struct reporter;

#define FS_BRANCHES 11

struct fs {
    const struct options *options;
    const struct store_paths *paths;
    const char *mountpoint; /* as the kernel names it */
    const char *state;      /* the state folder; NULL: none is writable */
    const char *lacks;      /* what is missing without it, in words; or "" */
    struct store_id id;     /* empty: unknown, as without a state folder */
    atomic_uint uid;        /* owner of all but the store's files; a restore may change it */
    atomic_uint gid;
    struct node_table *nodes;
    struct node *branches[FS_BRANCHES]; /* of the root (tree.c) */
    struct snapshots *snapshots;
    struct cuts *cuts;         /* NULL without a state folder */
    struct cut_links links;    /* whether they can keep files as links, as of the mount */
    struct session *restore;   /* NULL when mounted with `ro` */
    struct instants *instants; /* who sees which capture, */
    struct parts *parts;       /* and which of a database */
    struct node *now_folder;   /* snapshots/now/ */
    struct pace *pace;         /* of the readers of tars */
    struct materials cut_tars; /* of the nodes of cutfile.h */
    struct generated_files *generated;
    struct materials backup_files; /* of the nodes of backupfile.c */
    struct views *views;
    struct dumps *dumps;
    struct databases *databases;
    struct backups *backups;
    struct cutter *cutter; /* NULL: nothing to cut or fold here */
    struct uploads *uploads;
    struct status *status;
    struct space *space;
    struct notify *notify; /* NULL: no service manager listens */
    struct survey *survey;
    struct reporter *reporter;
    struct recorder *recorder; /* NULL without a state folder */
    struct counters counters;
    struct fuse_session *session;
    int64_t started_ns;  /* wall clock: the time of the fixed folders */
    uint32_t generation; /* of all nodes, whose numbers begin anew with each mount */
};

/* Finds uid and gid: the owner of the data folder, else of the meta folder, else owner=, else user
 * influxdb, else this process. A restore puts owner= first instead (locate.c), since that option is
 * for a future store. */
void fs_find_owner(struct fs *fs);

/* Fills in st for a file or folder of the store's owner. mode includes the type. */
void fs_attr(const struct fs *fs, struct stat *st, const struct node *n, mode_t mode, uint64_t size,
             int64_t mtime_ns);

/* Applies the options uid=, gid= and umask=. */
void fs_mask(const struct fs *fs, struct stat *st);

/* With allow_other, shows a file of the metastore, which holds password hashes, to its owner only,
 * whatever its mode and umask= say. Without, no other user comes near it. Comes after fs_mask. */
void fs_hide_from_others(const struct fs *fs, struct stat *st);

/* The low-level operations; userdata is a struct fs. */
extern const struct fuse_lowlevel_ops fs_ops;

/* The root, with all branches below it. */
int fs_tree_new(struct fs *fs);

#endif
