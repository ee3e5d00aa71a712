/* SPDX-License-Identifier: MIT */
/* The nodes of dump/, and what they are made of for as long as somebody asks. */
#include "fs/dumps_internal.h"
#include "fs/now.h"
#include "fs/status.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_NS ((int64_t)10 * 1000000000)

static void add_contents(struct dumps *d, struct dump_contents *one)
{
    one->used_ns = io_mono_ns();
    one->next = d->contents;
    d->contents = one;
}

/* Those of a capture, if they are known. Called with the lock. */
static struct schema_cache *known(struct dumps *d, const struct capture *c)
{
    for (struct dump_contents *p = d->contents; p; p = p->next) {
        if (schema_cache_capture(p->contents) != c)
            continue;
        p->used_ns = io_mono_ns();
        return schema_cache_ref(p->contents);
    }
    return NULL;
}

/* Those that were opened last, as a reference; NULL: none are. */
static struct schema_cache *newest(struct dumps *d)
{
    pthread_mutex_lock(&d->lock);
    struct schema_cache *c = d->contents ? schema_cache_ref(d->contents->contents) : NULL;
    pthread_mutex_unlock(&d->lock);
    return c;
}

static int open_contents(struct request *r, struct capture *c, struct schema_cache **out)
{
    struct dumps *d = r->fs->dumps;
    struct err e = {0};
    struct dump_contents *fresh = calloc(1, sizeof(*fresh));
    cleanup(schema_cache_unrefp) struct schema_cache *before = newest(d);
    if (!fresh)
        return -ENOMEM;
    int rc =
        schema_cache_open(c, snapshots_catalog(r->fs->snapshots), before, &fresh->contents, &e);
    if (rc == 0 && schema_cache_live(fresh->contents, r->fs->paths->data) < 0)
        rc = -ENOMEM;
    if (rc < 0) {
        schema_cache_unref(fresh->contents);
        free(fresh);
        status_failed(r->fs->status, "dump/", e.text);
        return rc == -ENOMEM ? rc : -EIO;
    }
    if (d->gaps.damage)
        schema_cache_allow_damage(fresh->contents);
    pthread_mutex_lock(&d->lock);
    *out = known(d, c);
    if (!*out) {
        *out = schema_cache_ref(fresh->contents);
        add_contents(d, steal_ptr(&fresh));
    }
    pthread_mutex_unlock(&d->lock);
    if (fresh)
        schema_cache_unref(fresh->contents);
    free(fresh);
    return 0;
}

int dumps_contents(struct request *r, struct schema_cache **out)
{
    struct dumps *d = r->fs->dumps;
    struct capture *c;
    int rc = now_capture(r, &c);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&d->lock);
    *out = known(d, c);
    pthread_mutex_unlock(&d->lock);
    if (!*out)
        rc = open_contents(r, c, out);
    capture_unref(c);
    return rc;
}

/* Takes out contents that nobody has used since. */
static struct dump_contents *old_contents(struct dumps *d, int64_t since)
{
    struct dump_contents *old = NULL;
    pthread_mutex_lock(&d->lock);
    for (struct dump_contents **p = &d->contents; *p && !old; p = old ? p : &(*p)->next) {
        if (schema_cache_used((*p)->contents))
            (*p)->used_ns = io_mono_ns();
        if ((*p)->used_ns > since)
            continue;
        old = *p;
        *p = old->next;
    }
    pthread_mutex_unlock(&d->lock);
    return old;
}

/* Takes what files are made of that are not open, of so many at a time. */
#define AT_A_TIME 256

static size_t old_files(struct dumps *d, int64_t since, struct schema_cache *old[AT_A_TIME])
{
    struct dump_node *n, *tmp;
    size_t found = 0;
    pthread_mutex_lock(&d->lock);
    HASH_ITER(by_key, d->nodes, n, tmp)
    {
        if (found == AT_A_TIME)
            break;
        if (n->contents && !n->open && n->used_ns <= since)
            old[found++] = steal_ptr(&n->contents);
    }
    pthread_mutex_unlock(&d->lock);
    return found;
}

static void drop(struct dumps *d, int64_t since)
{
    struct dump_contents *one;
    struct schema_cache *old[AT_A_TIME];
    for (size_t n; (n = old_files(d, since, old)) > 0;)
        while (n > 0)
            schema_cache_unref(old[--n]);
    while ((one = old_contents(d, since))) {
        schema_cache_unref(one->contents);
        free(one);
    }
}

void dumps_expire(struct dumps *d)
{
    drop(d, io_mono_ns() - KEEP_NS);
}

void dumps_drop_all(struct dumps *d)
{
    if (d)
        drop(d, INT64_MAX);
}

/* Nodes */

ino_t dumps_ino(const void *path, size_t n)
{
    return (fs_hash(FS_HASH, path, n) & (((uint64_t)1 << 60) - 1)) | (uint64_t)5 << 60;
}

static void free_node(struct dump_node *n)
{
    free(n->db);
    free(n->rp);
    free((char *)n->query.measurement);
    free(n);
}

static struct dump_node *new_node(struct dumps *d, const struct node_ops *ops,
                                  const struct dump_node *proto, const void *key, size_t nkey)
{
    struct dump_node *n = calloc(1, sizeof(*n) + nkey);
    if (!n)
        return NULL;
    *n = *proto;
    n->node.ops = ops;
    n->all = d;
    n->db = proto->db ? strdup(proto->db) : NULL;
    n->rp = proto->rp ? strdup(proto->rp) : NULL;
    char *name = malloc(proto->query.n + 1);
    n->query.measurement = name;
    if (!name || (proto->db && !n->db) || (proto->rp && !n->rp)) {
        free_node(n);
        return NULL;
    }
    if (proto->query.n)
        memcpy(name, proto->query.measurement, proto->query.n);
    n->query.db = n->db;
    n->query.rp = n->rp;
    n->nkey = nkey;
    if (nkey)
        memcpy(n->key, key, nkey);
    return n;
}

/* Called with the lock. A node that is being freed is no longer in the node table. */
static struct dump_node *find(struct dumps *d, const void *key, size_t nkey)
{
    struct dump_node *n;
    HASH_FIND(by_key, d->nodes, key, nkey, n);
    return n && node_pin(d->fs->nodes, n->node.id) ? n : NULL;
}

struct dump_node *dumps_find(struct dumps *d, const void *key, size_t nkey)
{
    pthread_mutex_lock(&d->lock);
    struct dump_node *n = find(d, key, nkey);
    pthread_mutex_unlock(&d->lock);
    return n;
}

int dumps_node(struct dumps *d, const struct node_ops *ops, const struct dump_node *proto,
               const void *key, size_t nkey, struct dump_node **out)
{
    struct dump_node *fresh = new_node(d, ops, proto, key, nkey), *old;
    if (!fresh)
        return -ENOMEM;
    pthread_mutex_lock(&d->lock);
    *out = find(d, key, nkey);
    if (!*out) {
        HASH_REPLACE(by_key, d->nodes, key, nkey, fresh, old);
        node_add(d->fs->nodes, &fresh->node, false);
        *out = steal_ptr(&fresh);
    }
    pthread_mutex_unlock(&d->lock);
    if (fresh)
        free_node(fresh);
    return 0;
}

void dumps_node_free(struct node *node)
{
    struct dump_node *n = (struct dump_node *)node, *listed;
    struct dumps *d = n->all;
    pthread_mutex_lock(&d->lock);
    HASH_FIND(by_key, d->nodes, n->key, n->nkey, listed);
    if (listed == n)
        HASH_DELETE(by_key, d->nodes, n);
    pthread_mutex_unlock(&d->lock);
    schema_cache_unref(n->contents);
    free_node(n);
}
