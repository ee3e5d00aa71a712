/* SPDX-License-Identifier: MIT */
#include "fs/now.h"

#include "fs/caller.h"
#include "fs/status.h"
#include "fs/tarfile.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NAME "snapshots/now.tar" /* in status.json */
#define SECOND ((int64_t)1000000000)
#define KEEP_NS (60 * SECOND)        /* since it was taken */
#define KEEP_CLOSED_NS (10 * SECOND) /* since the last close */
#define SHARE_NS (2 * SECOND)        /* among callers that cannot be told apart */

/* A capture as a file. */
struct now_node {
    struct node node;
    struct now *now;
    struct tarball *tarball; /* NULL once let go */
    unsigned bindings;
    int64_t taken_ns; /* monotonic: when it was last found to be the store as it is */
    uint64_t size;    /* both stay when the capture has gone */
    int64_t mtime_ns;
    struct now_node *next;
};

/* A process and its capture. */
struct binding {
    struct caller who;
    struct now_node *to;
    int64_t taken_ns, closed_ns;
    unsigned open;
    struct binding *next;
};

struct now_handle {
    struct tarfile file;
    struct binding *binding; /* keeps the tarball while it is open */
};

struct now {
    struct fs *fs;
    pthread_mutex_t lock; /* guards both lists and what is in them */
    struct now_node *nodes;
    struct binding *bindings;
};

static const struct node_ops now_ops;

int now_new(struct fs *fs)
{
    struct now *n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    pthread_mutex_init(&n->lock, NULL);
    n->fs = fs;
    fs->now = n;
    return 0;
}

static bool is_current(const struct binding *b, int64_t now)
{
    return b->open || now - b->taken_ns < KEEP_NS ||
           (b->closed_ns && now - b->closed_ns < KEEP_CLOSED_NS);
}

/* Whether a look-up may still be given it. Callers that cannot be told apart are many: what one has
 * open is not for the others. */
static bool may_give(const struct binding *b, int64_t now)
{
    return b->who.pid ? is_current(b, now) : now - b->taken_ns < SHARE_NS;
}

/* What a dropped binding sets free, to be given back without the lock. */
struct freed {
    struct tarball *tarball; /* NULL: somebody else is bound to it */
    struct now_node *node;
};

static bool drop_one(struct now *n, bool (*over)(const struct now *, const struct binding *),
                     struct freed *out)
{
    struct binding *b = NULL;
    pthread_mutex_lock(&n->lock);
    for (struct binding **p = &n->bindings; *p; p = &(*p)->next) {
        if (!over(n, *p))
            continue;
        b = *p;
        *p = b->next;
        break;
    }
    if (b) {
        *out = (struct freed){NULL, b->to};
        if (--b->to->bindings == 0) {
            out->tarball = b->to->tarball;
            b->to->tarball = NULL;
        }
    }
    pthread_mutex_unlock(&n->lock);
    free(b);
    return b;
}

static bool is_over(const struct now *n, const struct binding *b)
{
    (void)n;
    return !is_current(b, io_mono_ns());
}

/* A process that has ended will not ask again. The newest capture stays all the same: as long as
 * nothing changes, it serves everybody. */
static bool is_dead(const struct now *n, const struct binding *b)
{
    return !b->open && b->to != n->nodes && !caller_alive(&b->who);
}

/* Drops the bindings that are over, and lets go of the captures that are nobody's by that. */
static void drop_all(struct now *n, bool (*over)(const struct now *, const struct binding *))
{
    struct freed f;
    while (drop_one(n, over, &f)) {
        if (f.tarball)
            tarball_unref(f.tarball);
        node_unpin(n->fs->nodes, &f.node->node);
    }
}

void now_expire(struct now *n)
{
    drop_all(n, is_over);
    drop_all(n, is_dead);
}

static bool always(const struct now *n, const struct binding *b)
{
    (void)n, (void)b;
    return true;
}

void now_drop_all(struct now *n)
{
    if (n)
        drop_all(n, always);
}

void now_free(struct now *n)
{
    if (!n)
        return;
    pthread_mutex_destroy(&n->lock);
    free(n);
}

bool now_listed(const struct fs *fs)
{
    const char *const folders[] = {fs->paths->meta, fs->paths->data, fs->paths->wal};
    for (int i = 0; i < 3; i++)
        if (access(folders[i], F_OK) == 0 || errno != ENOENT)
            return true;
    return false;
}

/* The caller's capture, if it has one that still counts. Called with the lock. */
static struct binding *find(struct now *n, const struct caller *who)
{
    int64_t now = io_mono_ns();
    for (struct binding *b = n->bindings; b; b = b->next)
        if (caller_same(&b->who, who) && b->to->tarball && may_give(b, now))
            return b;
    return NULL;
}

/* The node of a tarball, pinned; takes over the caller's reference, or hands it back in *spare if
 * the node has one already. Called with the lock. */
static struct now_node *node_of(struct now *n, struct tarball *t, struct tarball **spare)
{
    for (struct now_node *k = n->nodes; k; k = k->next) {
        if (k->tarball != t)
            continue;
        *spare = t;
        node_repin(n->fs->nodes, &k->node);
        return k;
    }
    struct now_node *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    k->node.ops = &now_ops;
    k->now = n;
    k->tarball = t;
    k->size = tarball_size(t);
    k->mtime_ns = tarball_mtime_ns(t);
    node_add(n->fs->nodes, &k->node, false);
    k->next = n->nodes;
    n->nodes = k;
    return k;
}

/* Binds the caller to a node, which the binding pins. Called with the lock. */
static void bind(struct now *n, struct binding *b, const struct caller *who, struct now_node *to)
{
    *b = (struct binding){.who = *who, .to = to, .taken_ns = to->taken_ns, .next = n->bindings};
    n->bindings = b;
    to->bindings++;
    node_repin(n->fs->nodes, &to->node);
}

/* Binds the caller to t, whose reference is taken over, and gives the node, pinned. A thread of the
 * same process may have been quicker: then its capture is everybody's. */
static int bind_new(struct now *n, const struct caller *who, struct tarball *t, struct node **out)
{
    struct tarball *spare = NULL;
    struct now_node *k = NULL;
    struct binding *fresh = malloc(sizeof(*fresh));
    pthread_mutex_lock(&n->lock);
    const struct binding *b = find(n, who);
    if (b) {
        spare = t;
        k = b->to;
        node_repin(n->fs->nodes, &k->node);
    } else if (fresh && (k = node_of(n, t, &spare))) {
        k->taken_ns = io_mono_ns();
        bind(n, steal_ptr(&fresh), who, k);
    }
    pthread_mutex_unlock(&n->lock);
    free(fresh);
    if (spare || !k)
        tarball_unref(t);
    if (!k)
        return -ENOMEM;
    *out = &k->node;
    return 0;
}

int now_take(struct request *r, const char *what, struct tarball **out)
{
    struct tarball_reader reader = {request_interrupted, r};
    struct err e = {0};
    int rc = snapshots_now(r->fs->snapshots, &reader, out, &e);
    if (rc == 0)
        status_captured(r->fs->status, *out);
    else if (rc != -ENOENT && rc != -EINTR)
        status_failed(r->fs->status, what, e.text);
    return rc;
}

int now_lookup(struct request *r, struct node **out)
{
    struct now *n = r->fs->now;
    struct caller who = caller_of(r->ctx->pid);
    pthread_mutex_lock(&n->lock);
    struct binding *b = find(n, &who);
    if (b) {
        node_repin(n->fs->nodes, &b->to->node);
        *out = &b->to->node;
    }
    pthread_mutex_unlock(&n->lock);
    if (b)
        return 0;
    struct tarball *t;
    int rc = now_take(r, NAME, &t);
    if (rc < 0)
        return rc;
    rc = bind_new(n, &who, t, out);
    drop_all(n, is_dead);
    return rc;
}

/* The timer may let go of it in between. */
int now_capture(struct request *r, struct capture **out)
{
    struct node *node;
    struct capture *c = NULL;
    while (!c) {
        int rc = now_lookup(r, &node);
        if (rc < 0)
            return rc;
        pthread_mutex_lock(&r->fs->now->lock);
        const struct tarball *t = ((const struct now_node *)node)->tarball;
        c = t ? capture_ref(tarball_capture(t)) : NULL;
        pthread_mutex_unlock(&r->fs->now->lock);
        node_unpin(r->fs->nodes, node);
    }
    *out = c;
    return 0;
}

static int now_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct now_node *k = (const struct now_node *)n;
    (void)h;
    fs_attr(r->fs, st, INO_NOW, S_IFREG | 0400, k->size, k->mtime_ns);
    return 0;
}

static void now_node_free(struct node *node)
{
    struct now_node *k = (struct now_node *)node;
    struct now *n = k->now;
    pthread_mutex_lock(&n->lock);
    for (struct now_node **p = &n->nodes; *p; p = &(*p)->next) {
        if (*p == k) {
            *p = k->next;
            break;
        }
    }
    pthread_mutex_unlock(&n->lock);
    free(k);
}

static int now_open(struct request *r, struct node *node, int flags, struct handle **h)
{
    struct now_node *k = (struct now_node *)node;
    struct now *n = k->now;
    struct caller who = caller_of(r->ctx->pid);
    struct now_handle *nh = calloc(1, sizeof(*nh));
    struct binding *fresh = malloc(sizeof(*fresh));
    (void)flags;
    if (!nh || !fresh) {
        free(nh);
        free(fresh);
        return -ENOMEM;
    }
    pthread_mutex_lock(&n->lock);
    struct binding *b = find(n, &who);
    if ((!b || b->to != k) && k->tarball) {
        b = steal_ptr(&fresh);
        bind(n, b, &who, k);
    }
    bool ok = b && b->to == k;
    if (ok)
        b->open++;
    pthread_mutex_unlock(&n->lock);
    free(fresh);
    if (!ok) {
        free(nh);
        return -ESTALE;
    }
    nh->binding = b;
    tarfile_init(r->fs, &nh->file, k->tarball, NAME);
    *h = &nh->file.h;
    return 0;
}

static void now_release(struct handle *h)
{
    struct now_node *k = (struct now_node *)h->node;
    struct now_handle *nh = (struct now_handle *)h;
    tarfile_clear(&nh->file);
    pthread_mutex_lock(&k->now->lock);
    nh->binding->open--;
    nh->binding->closed_ns = io_mono_ns();
    pthread_mutex_unlock(&k->now->lock);
    free(nh);
}

static const struct node_ops now_ops = {
    .attr_timeout = NODE_FOR_EVER,
    .direct = true,
    .getattr = now_getattr,
    .free = now_node_free,
    .open = now_open,
    .read = tarfile_read,
    .has_read = tarfile_has_read,
    .release = now_release,
};

static bool is_closed(const struct now *n, const struct binding *b)
{
    (void)n;
    return !b->open;
}

void now_restored(struct now *n)
{
    drop_all(n, is_closed);
}

size_t now_held(struct fs *fs)
{
    size_t n = 0;
    pthread_mutex_lock(&fs->now->lock);
    for (const struct now_node *k = fs->now->nodes; k; k = k->next)
        n += k->tarball != NULL;
    pthread_mutex_unlock(&fs->now->lock);
    return n;
}
