/* SPDX-License-Identifier: MIT */
/* The inside of the views, for view.c (what they show) and view_idle.c (how they are forgotten). */
#ifndef INFLUXFS_FS_VIEW_INTERNAL_H
#define INFLUXFS_FS_VIEW_INTERNAL_H

#include "fs/lifetime.h"
#include "fs/view.h"
#include "store/chain/cutview.h"

#include <pthread.h>
#include <stdatomic.h>

#define VIEW_TOP SIZE_MAX /* the view's own folder, which is no entry of the cut */

/* A file or folder of a view. It pins its folder, and by that the view. */
struct view_node {
    struct node node;
    struct view_node *above; /* NULL: it is the view */
    struct view_node *prev, *next;
    struct {
        struct view *view;
        size_t number; /* of the entry */
    } key;
    struct cut_entry entry; /* its path is memory of the node's; not of the top */
    atomic_size_t folders;  /* one more than there are in it; 0: they were not counted yet */
};

/* A name in at/ and its cut. A view is its own folder, and lives as long. */
struct view {
    struct view_node top;
    struct views *all;
    uint64_t dir; /* the node's number of at/ */
    uint64_t serial;
    char id[CUT_ID_MAX + 1];
    int64_t created_ns;
    struct cutview *cut;       /* NULL until the first look into it; then it stays */
    struct view_node *entries; /* all but the top */
    struct lifetime life;
    bool asked; /* the kernel was asked before to forget it */
    struct view *prev, *next;
    char *key; /* of its node: the cut's and the name */
    const char *name;
};

struct views {
    struct fs *fs;
    pthread_mutex_t lock; /* guards the lists and all that changes in views */
    struct view *list;
    struct view *reads; /* looked into last: the manifests of others are closed after use */
};

static inline const char *view_path_of(const struct view_node *n)
{
    return n->key.number == VIEW_TOP ? "" : n->entry.path;
}

#endif
