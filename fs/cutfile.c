/* SPDX-License-Identifier: MIT */
#include "fs/cutfile.h"

#include "fs/status.h"
#include "fs/tarfile.h"
#include "store/base/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_NS ((int64_t)5 * 1000000000)

struct cut_node {
    struct node node;
    struct cutfiles *of;
    uint64_t key;
    uint64_t serial;
    enum cutfile what;
    char id[CUT_ID_MAX + 1];
    char name[48]; /* for status.json */
    uint64_t size;
    int64_t mtime_ns;
    struct tarball *tarball; /* while it is open, and for a while after */
    unsigned open;
    int64_t closed_ns;
    UT_hash_handle by_key;
};

struct cutfiles {
    struct fs *fs;
    pthread_mutex_t lock; /* guards nodes, and their tarball, open and closed_ns */
    struct cut_node *nodes;
};

static const struct node_ops lasting_ops, moving_ops;

static const struct {
    ino_t ino;
    const struct node_ops *ops;
    enum cut_tar kind;
    bool each; /* an st_ino for each cut, from ino */
} kinds[] = {
    [CUTFILE_BASE] = {INO_BASE, &moving_ops, CUT_FULL, false},
    [CUTFILE_NUMBER] = {(ino_t)1 << 40, &lasting_ops, CUT_CHANGES, true},
    [CUTFILE_LATEST] = {INO_LATEST, &moving_ops, CUT_FULL, false},
    [CUTFILE_AT] = {(ino_t)1 << 41, &lasting_ops, CUT_FULL, true},
};

int cutfiles_new(struct fs *fs)
{
    struct cutfiles *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    pthread_mutex_init(&c->lock, NULL);
    c->fs = fs;
    fs->cutfiles = c;
    return 0;
}

void cutfiles_free(struct cutfiles *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

ino_t cutfile_ino(enum cutfile what, uint64_t serial)
{
    return kinds[what].ino + (kinds[what].each ? serial : 0);
}

bool cutfile_number(const char *text, size_t len, int64_t *out)
{
    int64_t v = 0;
    if (len == 0 || len > 18 || (len > 1 && *text == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (text[i] - '0');
    }
    *out = v;
    return true;
}

int cutfile_failed(struct fs *fs, const char *name, int r, const struct err *e)
{
    if (r == -ENOENT || r == -ESTALE || r == -EINTR)
        return r;
    status_failed(fs->status, name, e->text[0] ? e->text : strerror(-r));
    return r == -ENOMEM || r == -ENFILE || r == -EMFILE ? r : -EIO;
}

int64_t cutfile_folder_time(const struct fs *fs)
{
    struct cut_info latest;
    if (!fs->cuts || cuts_latest(fs->cuts, &latest, NULL) < 0)
        return fs->started_ns;
    return latest.head.created_ns;
}

static uint64_t key_of(enum cutfile what, uint64_t serial)
{
    return serial << 2 | what;
}

static void name_it(struct cut_node *k, enum cutfile what, int64_t number)
{
    static const char *const moving[] = {
        [CUTFILE_BASE] = "snapshots/base.tar", [CUTFILE_LATEST] = "at/latest.tar"};
    if (what == CUTFILE_BASE || what == CUTFILE_LATEST)
        snprintf(k->name, sizeof(k->name), "%s", moving[what]);
    else if (number < 0)
        snprintf(k->name, sizeof(k->name), "at/: the tar of the first cut");
    else
        snprintf(k->name, sizeof(k->name), "%s/%" PRId64 ".tar",
                 what == CUTFILE_AT ? "at" : "snapshots", number);
}

/* The node that is there, pinned, or NULL. Called with the lock. */
static struct cut_node *find(struct cutfiles *c, uint64_t key, const char *id)
{
    struct cut_node *k;
    HASH_FIND(by_key, c->nodes, &key, sizeof(key), k);
    /* A serial comes again when the whole chain was moved away. A node that is being freed is no
     * longer in the node table. */
    return k && strcmp(k->id, id) == 0 && node_pin(c->fs->nodes, k->node.id) ? k : NULL;
}

static int add(struct cutfiles *c, enum cutfile what, const struct cut_info *cut, uint64_t size,
               struct node **out)
{
    struct cut_node *old, *k = calloc(1, sizeof(*k));
    if (!k)
        return -ENOMEM;
    k->node.ops = kinds[what].ops;
    k->of = c;
    k->key = key_of(what, cut->head.serial);
    k->serial = cut->head.serial;
    k->what = what;
    memcpy(k->id, cut->head.id, sizeof(k->id));
    name_it(k, what, cut->head.number);
    k->size = size;
    k->mtime_ns = cut->head.created_ns;
    pthread_mutex_lock(&c->lock);
    struct cut_node *there = find(c, k->key, k->id);
    if (!there) {
        HASH_REPLACE(by_key, c->nodes, key, sizeof(k->key), k, old);
        node_add(c->fs->nodes, &k->node, false);
    }
    pthread_mutex_unlock(&c->lock);
    if (there)
        free(k);
    *out = there ? &there->node : &k->node;
    return 0;
}

int cutfile_lookup(struct fs *fs, enum cutfile what, const struct cut_info *cut, struct node **out)
{
    struct cutfiles *c = fs->cutfiles;
    struct err e = {0};
    uint64_t size;
    pthread_mutex_lock(&c->lock);
    struct cut_node *k = find(c, key_of(what, cut->head.serial), cut->head.id);
    pthread_mutex_unlock(&c->lock);
    if (k) {
        *out = &k->node;
        return 0;
    }
    int r = cuts_tar_size(fs->cuts, cut->head.serial, kinds[what].kind, &size, &e);
    return r < 0 ? cutfile_failed(fs, "the size of a cut", r, &e) : add(c, what, cut, size, out);
}

static int cut_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct cut_node *k = (const struct cut_node *)n;
    (void)h;
    fs_attr(r->fs, st, cutfile_ino(k->what, k->serial), S_IFREG | 0400, k->size, k->mtime_ns);
    return 0;
}

static void cut_node_free(struct node *n)
{
    struct cut_node *k = (struct cut_node *)n, *listed;
    struct cutfiles *c = k->of;
    pthread_mutex_lock(&c->lock);
    HASH_FIND(by_key, c->nodes, &k->key, sizeof(k->key), listed);
    if (listed == k)
        HASH_DELETE(by_key, c->nodes, k);
    pthread_mutex_unlock(&c->lock);
    if (k->tarball)
        tarball_unref(k->tarball);
    free(k);
}

/* The tar of the node's own cut: another one may have its number by now. */
static int get_tar(struct fs *fs, const struct cut_node *k, struct tarball **out)
{
    struct err e = {0};
    int r = cuts_get_tar(fs->cuts, k->serial, kinds[k->what].kind, out, &e);
    if (r < 0)
        return r == -ENOENT ? -ESTALE : cutfile_failed(fs, k->name, r, &e);
    const struct catalog_record *rec = capture_record(tarball_capture(*out));
    if (strncmp(rec->id, k->id, sizeof(rec->id) - 1) == 0 && tarball_size(*out) == k->size)
        return 0;
    tarball_unref(*out);
    return -ESTALE;
}

/* Opens the node if it has its tar. */
static bool open_at_hand(struct cut_node *k, struct tarball **fresh)
{
    pthread_mutex_lock(&k->of->lock);
    if (!k->tarball && fresh) {
        k->tarball = *fresh;
        *fresh = NULL;
    }
    bool have = k->tarball;
    k->open += have;
    pthread_mutex_unlock(&k->of->lock);
    return have;
}

static int cut_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct cut_node *k = (struct cut_node *)n;
    struct tarball *fresh = NULL;
    struct tarfile *f = calloc(1, sizeof(*f));
    (void)flags;
    if (!f)
        return -ENOMEM;
    if (!open_at_hand(k, NULL)) {
        int rc = get_tar(r->fs, k, &fresh);
        if (rc < 0) {
            free(f);
            return rc;
        }
        open_at_hand(k, &fresh);
        if (fresh) /* another thread was as fast */
            tarball_unref(fresh);
    }
    tarfile_init(r->fs, f, k->tarball, k->name);
    *h = &f->h;
    return 0;
}

static void cut_release(struct handle *h)
{
    struct tarfile *f = (struct tarfile *)h;
    struct cut_node *k = (struct cut_node *)h->node;
    tarfile_clear(f);
    pthread_mutex_lock(&k->of->lock);
    k->open--;
    k->closed_ns = io_mono_ns();
    pthread_mutex_unlock(&k->of->lock);
    free(f);
}

/* A tar whose time has come, taken from its node. */
static struct tarball *take_idle(struct cutfiles *c)
{
    int64_t now = io_mono_ns();
    struct tarball *t = NULL;
    struct cut_node *k, *next;
    pthread_mutex_lock(&c->lock);
    HASH_ITER(by_key, c->nodes, k, next)
    {
        if (k->tarball && !k->open && now - k->closed_ns >= GRACE_NS) {
            t = k->tarball;
            k->tarball = NULL;
            break;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return t;
}

void cutfiles_expire(struct cutfiles *c)
{
    struct tarball *t;
    while ((t = take_idle(c)))
        tarball_unref(t);
}

/* A name that stands for one cut as long as that is there. */
static const struct node_ops lasting_ops = {
    .entry_timeout = 1,
    .attr_timeout = NODE_FOR_EVER,
    .direct = true,
    .getattr = cut_getattr,
    .free = cut_node_free,
    .open = cut_open,
    .read = tarfile_read,
    .has_read = tarfile_has_read,
    .release = cut_release,
};

/* A name that goes from cut to cut. */
static const struct node_ops moving_ops = {
    .attr_timeout = NODE_FOR_EVER,
    .direct = true,
    .getattr = cut_getattr,
    .free = cut_node_free,
    .open = cut_open,
    .read = tarfile_read,
    .has_read = tarfile_has_read,
    .release = cut_release,
};
