/* SPDX-License-Identifier: MIT */
/* The inside of the views, for view.c (what they show) and view_idle.c (when they are let go). */
#ifndef INFLUXFS_FS_VIEW_INTERNAL_H
#define INFLUXFS_FS_VIEW_INTERNAL_H

#include "fs/view.h"

#include <pthread.h>

#define VIEW_TOP SIZE_MAX /* the view's own folder, which is no entry of the state */

struct view_node {
    struct node node;
    struct view *view;
    size_t entry;
    UT_hash_handle by_entry;
};

struct view {
    struct views *all;
    uint64_t dir; /* the node's number of at/ */
    char *name;
    uint64_t serial;
    char id[CUT_ID_MAX + 1];
    int64_t created_ns;
    bool moving;
    struct cutstate *state; /* NULL until somebody looks into it; then it stays */
    struct view_node *nodes;
    size_t refs;   /* nodes, also those that are just being freed */
    unsigned open; /* files */
    int64_t used_ns;
    bool asked; /* the kernel was asked before to forget it */
    struct view *next;
};

struct views {
    struct fs *fs;
    pthread_mutex_t lock; /* guards the list and all that changes in views */
    struct view *list;
};

static inline const struct cut_entry *view_entry_of(const struct view_node *n)
{
    size_t count;
    return n->entry == VIEW_TOP ? NULL : &cutstate_entries(n->view->state, &count)[n->entry];
}

static inline const char *view_path_of(const struct view_node *n)
{
    const struct cut_entry *e = view_entry_of(n);
    return e ? e->path : "";
}

#endif
