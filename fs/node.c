/* SPDX-License-Identifier: MIT */
#include "fs/caller.h"
#include "fs/fs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct node_table {
    pthread_mutex_t lock;
    struct node *nodes;
    uint64_t next;
};

bool request_interrupted(void *ctx)
{
    const struct request *r = ctx;
    /* The kernel tells of the first signal only: another that comes later is seen by the caller. */
    return fuse_session_exited(r->fs->session) ||
           (fuse_req_interrupted(r->req) && caller_ends(r->ctx->pid));
}

int names_add(struct names *l, const char *name, ino_t ino, mode_t type)
{
    if ((l->n & (l->n + 1)) == 0) {
        void *p = realloc(l->at, (l->n + 1) * 2 * sizeof(*l->at));
        if (!p)
            return -ENOMEM;
        l->at = p;
    }
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

void node_table_free(struct node_table *t)
{
    struct node *n, *next;
    if (!t)
        return;
    HASH_ITER(hh, t->nodes, n, next)
    {
        HASH_DEL(t->nodes, n);
        n->ops->free(n);
    }
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void node_add(struct node_table *t, struct node *n, bool root)
{
    pthread_mutex_lock(&t->lock);
    n->id = root ? FUSE_ROOT_ID : t->next++;
    n->pins = 1;
    HASH_ADD(hh, t->nodes, id, sizeof(n->id), n);
    pthread_mutex_unlock(&t->lock);
}

struct node *node_pin(struct node_table *t, uint64_t id)
{
    struct node *n;
    pthread_mutex_lock(&t->lock);
    HASH_FIND(hh, t->nodes, &id, sizeof(id), n);
    if (n)
        n->pins++;
    pthread_mutex_unlock(&t->lock);
    return n;
}

void node_repin(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    n->pins++;
    pthread_mutex_unlock(&t->lock);
}

/* Takes n out if nobody has it any more; the caller frees it once the lock is released. */
static bool remove_if_unused(struct node_table *t, struct node *n)
{
    if (n->pins || n->lookups)
        return false;
    HASH_DEL(t->nodes, n);
    return true;
}

void node_unpin(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    n->pins--;
    bool unused = remove_if_unused(t, n);
    pthread_mutex_unlock(&t->lock);
    if (unused)
        n->ops->free(n);
}

void node_looked_up(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    n->lookups++;
    pthread_mutex_unlock(&t->lock);
}

void node_forget(struct node_table *t, uint64_t id, uint64_t count)
{
    struct node *n;
    bool unused = false;
    pthread_mutex_lock(&t->lock);
    HASH_FIND(hh, t->nodes, &id, sizeof(id), n);
    if (n) {
        n->lookups -= count < n->lookups ? count : n->lookups;
        unused = remove_if_unused(t, n);
    }
    pthread_mutex_unlock(&t->lock);
    if (unused)
        n->ops->free(n);
}
