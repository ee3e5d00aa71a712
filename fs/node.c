/* SPDX-License-Identifier: MIT */
#include "fs/node.h"

#include "fs/ino.h"
#include "store/base/array.h"
#include "store/base/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVER 31536000.0 /* a year */

/* clang-format off */
/* now.tar, dumps and backups are asked for each time, since their names depend on the process; their nodes
 * never change. Names in a view never come or go, whatever at/ does. */
static const struct cache_policy policies[NODE_KINDS] = {
    /*                    entry  attr  absent  direct keep */
    [NODE_FOLDER]      = {60,    60,   0,      false, false},
    [NODE_CUTS_FOLDER] = {60,    1,    0,      false, false},
    [NODE_LIVE]        = {0,     0,    0,      false, false},
    [NODE_NOW]         = {0,     EVER, 0,      true,  false},
    [NODE_CUT]         = {1,     EVER, 0,      true,  false},
    [NODE_CUT_MOVING]  = {0,     EVER, 0,      true,  false},
    [NODE_VIEW]        = {1,     EVER, EVER,   false, false},
    [NODE_VIEW_MOVING] = {0,     EVER, EVER,   false, false},
    [NODE_VIEW_ENTRY]  = {EVER,  EVER, EVER,   false, true},
    [NODE_UPLOAD]      = {0,     0,    0,      true,  false},
    [NODE_DUMP_FOLDER] = {0,     60,   0,      false, false},
    [NODE_DUMP]        = {0,     EVER, 0,      true,  false},
    [NODE_BACKUP_FOLDER] = {0,   60,   0,      false, false},
    [NODE_BACKUP]      = {0,     EVER, 0,      true,  false},
    [NODE_TEXT]        = {0,     0,    0,      true,  false},
};
/* clang-format on */

struct node_table {
    pthread_mutex_t lock; /* guards what follows, and lookups and pins of the nodes */
    struct node *nodes;   /* by id, the newest last */
    struct node *keyed[NODE_KINDS];
    uint64_t next;
};

const struct cache_policy *node_policy(const struct node *n)
{
    return &policies[n->kind];
}

void node_init(struct node *n, const struct node_ops *ops, enum node_kind kind, ino_t ino,
               const struct node *dir)
{
    n->ops = ops;
    n->kind = kind;
    n->ino = ino;
    n->up = dir ? dir->ino : INO_ROOT;
}

int names_add(struct names *l, const char *name, ino_t ino, mode_t type)
{
    if (!array_grow(&l->at, l->n))
        return -ENOMEM;
    l->at[l->n].name = strdup(name);
    if (!l->at[l->n].name)
        return -ENOMEM;
    l->at[l->n].ino = ino;
    l->at[l->n].type = type & S_IFMT;
    l->n++;
    return 0;
}

void names_clear(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i].name);
    free(l->at);
    *l = (struct names){0};
}

struct node_table *node_table_new(void)
{
    struct node_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    pthread_mutex_init(&t->lock, NULL);
    t->next = FUSE_ROOT_ID + 1;
    return t;
}

/* Called with the lock, or by the last user. */
static void node_remove(struct node_table *t, struct node *n)
{
    HASH_DELETE(by_id, t->nodes, n);
    if (n->by_key.tbl)
        HASH_DELETE(by_key, t->keyed[n->kind], n);
}

void node_table_free(struct node_table *t)
{
    if (!t)
        return;
    while (t->nodes) {
        struct node *newest = ELMT_FROM_HH(t->nodes->by_id.tbl, t->nodes->by_id.tbl->tail);
        node_remove(t, newest);
        newest->ops->free(newest);
    }
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* Called with the lock. */
static int node_number(struct node_table *t, struct node *n, bool root)
{
    n->id = root ? FUSE_ROOT_ID : t->next;
    n->pins = 1;
    HASH_ADD(by_id, t->nodes, id, sizeof(n->id), n);
    if (!n->by_id.tbl)
        return -ENOMEM;
    t->next += !root;
    return 0;
}

int node_add(struct node_table *t, struct node *n, bool root)
{
    lock_scope(&t->lock);
    return node_number(t, n, root);
}

int node_new(struct node_table *t, const struct node_ops *ops, enum node_kind kind, ino_t ino,
             struct node **out)
{
    autofree struct node *n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    node_init(n, ops, kind, ino, NULL);
    int r = node_add(t, n, ino == INO_ROOT);
    if (r == 0)
        *out = steal_ptr(&n);
    return r;
}

void node_free(struct node *n)
{
    free(n);
}

/* Called with the lock. */
static struct node *node_keyed(struct node_table *t, enum node_kind kind, const void *key,
                               size_t nkey)
{
    struct node *n;
    HASH_FIND(by_key, t->keyed[kind], key, nkey, n);
    if (n)
        n->pins++;
    return n;
}

struct node *node_find(struct node_table *t, enum node_kind kind, const void *key, size_t nkey)
{
    lock_scope(&t->lock);
    return node_keyed(t, kind, key, nkey);
}

/* Called with the lock. */
static int node_add_keyed(struct node_table *t, struct node *n, const void *key, size_t nkey)
{
    int r = node_number(t, n, false);
    if (r < 0)
        return r;
    HASH_ADD_KEYPTR(by_key, t->keyed[n->kind], key, nkey, n);
    if (n->by_key.tbl)
        return 0;
    HASH_DELETE(by_id, t->nodes, n);
    return -ENOMEM;
}

int node_find_or_add(struct node_table *t, struct node *n, const void *key, size_t nkey,
                     struct node **out)
{
    int r = 0;
    pthread_mutex_lock(&t->lock);
    struct node *there = node_keyed(t, n->kind, key, nkey);
    if (!there)
        r = node_add_keyed(t, n, key, nkey);
    pthread_mutex_unlock(&t->lock);
    if (there || r < 0)
        n->ops->free(n);
    if (r == 0)
        *out = there ? there : n;
    return r;
}

struct node *node_pin(struct node_table *t, uint64_t id)
{
    struct node *n;
    lock_scope(&t->lock);
    HASH_FIND(by_id, t->nodes, &id, sizeof(id), n);
    if (n)
        n->pins++;
    return n;
}

void node_repin(struct node_table *t, struct node *n)
{
    lock_scope(&t->lock);
    n->pins++;
}

/* Takes n out if it is unused; the caller frees it after releasing the lock. */
static bool node_unused(struct node_table *t, struct node *n)
{
    if (n->pins || n->lookups)
        return false;
    node_remove(t, n);
    return true;
}

void node_unpin(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    n->pins--;
    bool unused = node_unused(t, n);
    pthread_mutex_unlock(&t->lock);
    if (unused)
        n->ops->free(n);
}

void node_looked_up(struct node_table *t, struct node *n)
{
    lock_scope(&t->lock);
    n->lookups++;
}

void node_forget(struct node_table *t, uint64_t id, uint64_t count)
{
    struct node *n;
    bool unused = false;
    pthread_mutex_lock(&t->lock);
    HASH_FIND(by_id, t->nodes, &id, sizeof(id), n);
    if (n) {
        n->lookups -= count < n->lookups ? count : n->lookups;
        unused = node_unused(t, n);
    }
    pthread_mutex_unlock(&t->lock);
    if (unused)
        n->ops->free(n);
}
