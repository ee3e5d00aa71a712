/* SPDX-License-Identifier: MIT */
#include "fs/named.h"

#include "fs/now.h"
#include "fs/status.h"
#include "fs/tarfile.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_NS ((int64_t)600 * 1000000000)

struct named_node {
    struct node node;
    struct named *of;
    char *path; /* "snapshots/now/NAME.tar", for status.json */
    const char *name;
    struct tarball *tarball; /* NULL once let go */
    unsigned open;
    int64_t taken_ns, closed_ns; /* monotonic; closed_ns 0: nobody has closed it yet */
    uint64_t size;               /* both stay when the capture has gone */
    int64_t mtime_ns;
    struct named_node *next;
};

struct named {
    struct fs *fs;
    struct node folder;
    pthread_mutex_t lock;    /* guards the list, and tarball, open and closed_ns of its nodes */
    struct named_node *held; /* each with a pin */
    size_t n;
};

static const struct node_ops folder_ops, named_ops;

int named_new(struct fs *fs)
{
    struct named *n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    pthread_mutex_init(&n->lock, NULL);
    n->fs = fs;
    n->folder.ops = &folder_ops;
    node_add(fs->nodes, &n->folder, false);
    fs->named = n;
    return 0;
}

void named_free(struct named *n)
{
    if (!n)
        return;
    pthread_mutex_destroy(&n->lock);
    free(n);
}

struct node *named_folder(struct fs *fs)
{
    node_repin(fs->nodes, &fs->named->folder);
    return &fs->named->folder;
}

static bool is_over(const struct named_node *k)
{
    int64_t now = io_mono_ns();
    return !k->open && now - k->taken_ns >= KEEP_NS &&
           (!k->closed_ns || now - k->closed_ns >= KEEP_NS);
}

static bool always(const struct named_node *k)
{
    (void)k;
    return true;
}

/* Takes one that meets the condition off the list, with its tarball. */
static struct named_node *take_off(struct named *n, bool (*over)(const struct named_node *),
                                   struct tarball **out)
{
    struct named_node *k = NULL;
    pthread_mutex_lock(&n->lock);
    for (struct named_node **p = &n->held; *p; p = &(*p)->next) {
        if (!over(*p))
            continue;
        k = *p;
        *p = k->next;
        n->n--;
        *out = k->tarball;
        k->tarball = NULL;
        break;
    }
    pthread_mutex_unlock(&n->lock);
    return k;
}

static void named_drop(struct named *n, bool (*over)(const struct named_node *))
{
    struct named_node *k;
    struct tarball *t;
    while ((k = take_off(n, over, &t))) {
        tarball_unref(t);
        node_unpin(n->fs->nodes, &k->node);
    }
}

void named_expire(struct named *n)
{
    named_drop(n, is_over);
}

void named_drop_all(struct named *n)
{
    if (n)
        named_drop(n, always);
}

size_t named_held(struct named *n)
{
    pthread_mutex_lock(&n->lock);
    size_t held = n->n;
    pthread_mutex_unlock(&n->lock);
    return held;
}

/* The node of a name that is held, pinned, or NULL. Called with the lock. */
static struct named_node *find(struct named *n, const char *name)
{
    for (struct named_node *k = n->held; k; k = k->next) {
        if (strcmp(k->name, name) == 0 && !is_over(k)) {
            node_repin(n->fs->nodes, &k->node);
            return k;
        }
    }
    return NULL;
}

static struct named_node *find_locked(struct named *n, const char *name)
{
    pthread_mutex_lock(&n->lock);
    struct named_node *k = find(n, name);
    pthread_mutex_unlock(&n->lock);
    return k;
}

static struct named_node *node_of(struct named *n, const char *name, struct tarball *t)
{
    struct named_node *k = calloc(1, sizeof(*k));
    if (!k || asprintf(&k->path, "snapshots/now/%s", name) < 0) {
        free(k);
        return NULL;
    }
    k->node.ops = &named_ops;
    k->of = n;
    k->name = strrchr(k->path, '/') + 1;
    k->tarball = t;
    k->taken_ns = io_mono_ns();
    k->size = tarball_size(t);
    k->mtime_ns = tarball_mtime_ns(t);
    return k;
}

static void node_discard(struct named_node *k)
{
    if (k)
        free(k->path);
    free(k);
}

/* Holds t, which is taken over, under the name, unless somebody else was quicker or there are too
 * many; *out is pinned. */
static int hold(struct named *n, const char *name, struct tarball *t, struct named_node **out)
{
    struct named_node *fresh = node_of(n, name, t), *there;
    int r = fresh ? 0 : -ENOMEM;
    pthread_mutex_lock(&n->lock);
    there = find(n, name);
    if (!there && r == 0 && n->n >= NAMED_MAX)
        r = -EAGAIN;
    if (!there && r == 0) {
        node_add(n->fs->nodes, &fresh->node, false);
        node_repin(n->fs->nodes, &fresh->node);
        fresh->next = n->held;
        n->held = fresh;
        n->n++;
        there = steal_ptr(&fresh);
        t = NULL;
    }
    pthread_mutex_unlock(&n->lock);
    node_discard(fresh);
    if (t)
        tarball_unref(t);
    *out = there;
    return there ? 0 : r;
}

static bool name_ok(const char *name)
{
    size_t len = strlen(name);
    return *name != '.' && len > 4 && strcmp(name + len - 4, ".tar") == 0;
}

static int folder_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
{
    struct named *n = r->fs->named;
    struct tarball *t;
    (void)dir;
    if (!name_ok(name))
        return -ENOENT;
    struct named_node *k = find_locked(n, name);
    if (!k) {
        int rc = now_take(r, "snapshots/now/", &t);
        if (rc == 0)
            rc = hold(n, name, t, &k);
        if (rc == -EAGAIN)
            status_failed(r->fs->status, "snapshots/now/",
                          "too many names are held; use one again, or wait ten minutes");
        if (rc < 0)
            return rc;
    }
    *child = &k->node;
    return 0;
}

static ino_t ino_of(const char *name)
{
    return INO_NAMED | (fs_hash(FS_HASH, name, strlen(name)) & (INO_NAMED - 1));
}

static int folder_list(struct request *r, struct node *dir, struct names *out)
{
    struct named *n = r->fs->named;
    int rc = 0;
    (void)dir;
    pthread_mutex_lock(&n->lock);
    for (const struct named_node *k = n->held; rc == 0 && k; k = k->next)
        if (!is_over(k))
            rc = names_add(out, k->name, ino_of(k->name), S_IFREG);
    pthread_mutex_unlock(&n->lock);
    return rc;
}

static int folder_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    (void)n, (void)h;
    fs_attr(r->fs, st, INO_NAMED_FOLDER, S_IFDIR | 0755, 0, r->fs->started_ns);
    return 0;
}

/* The folder is a part of struct named, which outlives the nodes. */
static void folder_free(struct node *n)
{
    (void)n;
}

static const struct node_ops folder_ops = {
    .entry_timeout = 60,
    .attr_timeout = 60,
    .getattr = folder_getattr,
    .free = folder_free,
    .lookup = folder_lookup,
    .list = folder_list,
};

static int named_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct named_node *k = (const struct named_node *)n;
    (void)h;
    fs_attr(r->fs, st, ino_of(k->name), S_IFREG | 0400, k->size, k->mtime_ns);
    return 0;
}

static void named_node_free(struct node *n)
{
    node_discard((struct named_node *)n);
}

static int named_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct named_node *k = (struct named_node *)n;
    struct tarfile *f = calloc(1, sizeof(*f));
    (void)flags;
    if (!f)
        return -ENOMEM;
    pthread_mutex_lock(&k->of->lock);
    bool have = k->tarball;
    k->open += have;
    pthread_mutex_unlock(&k->of->lock);
    if (!have) {
        free(f);
        return -ESTALE;
    }
    tarfile_init(r->fs, f, k->tarball, k->path);
    *h = &f->h;
    return 0;
}

static void named_release(struct handle *h)
{
    struct named_node *k = (struct named_node *)h->node;
    tarfile_clear((struct tarfile *)h);
    pthread_mutex_lock(&k->of->lock);
    k->open--;
    k->closed_ns = io_mono_ns();
    pthread_mutex_unlock(&k->of->lock);
    free(h);
}

static const struct node_ops named_ops = {
    .attr_timeout = NODE_FOR_EVER,
    .direct = true,
    .getattr = named_getattr,
    .free = named_node_free,
    .open = named_open,
    .read = tarfile_read,
    .has_read = tarfile_has_read,
    .release = named_release,
};
