/* SPDX-License-Identifier: MIT */
#include "fs/view.h"

#include "fs/cutfile.h"
#include "fs/request.h"
#include "fs/view_internal.h"
#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/base/path.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct view_handle {
    struct handle h;
    int fd;
};

static const struct node_ops top_ops, folder_ops, file_ops;

int views_new(struct fs *fs)
{
    struct views *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    s->fs = fs;
    fs->views = s;
    return 0;
}

void views_free(struct views *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static ino_t view_hash(uint64_t serial, uint64_t seq, const char *path)
{
    uint64_t hash = ino_hash(INO_HASH, &serial, sizeof(serial));
    hash = ino_hash(hash, &seq, sizeof(seq));
    hash = ino_hash(hash, path, strlen(path));
    return ino_hashed(INO_IN_VIEW, hash);
}

ino_t view_ino(uint64_t serial, const char *path)
{
    return view_hash(serial, UINT64_MAX, path);
}

/* A file in several cuts is one file to tools that compare. */
static ino_t view_entry_ino(const struct view *v, const struct cut_entry *e)
{
    return cut_is_folder(e) ? view_ino(v->serial, e->path)
                            : view_hash(e->place.serial, e->place.seq, e->path);
}

/* Nodes */

static void view_entry_free(struct node *node)
{
    struct view_node *n = (struct view_node *)node;
    struct view *v = n->key.view;
    pthread_mutex_lock(&v->all->lock);
    DL_DELETE(v->entries, n);
    pthread_mutex_unlock(&v->all->lock);
    node_unpin(v->all->fs->nodes, &n->above->node);
    free((char *)n->entry.path);
    free(n);
}

/* The node of an entry in a folder, pinned. */
static int view_node_for(struct view_node *dir, size_t number, const struct cut_entry *e,
                         struct node **out)
{
    struct view *v = dir->key.view;
    struct node_table *nodes = v->all->fs->nodes;
    struct view_node *n = calloc(1, sizeof(*n));
    char *path = strdup(e->path);
    if (!n || !path) {
        free(path);
        free(n);
        return -ENOMEM;
    }
    n->key.view = v;
    n->key.number = number;
    n->entry = *e;
    n->entry.path = path;
    node_init(&n->node, cut_is_folder(e) ? &folder_ops : &file_ops, NODE_VIEW_ENTRY,
              view_entry_ino(v, e), &dir->node);
    n->above = dir;
    node_repin(nodes, &dir->node);
    pthread_mutex_lock(&v->all->lock);
    DL_APPEND(v->entries, n);
    pthread_mutex_unlock(&v->all->lock);
    return node_find_or_add(nodes, &n->node, &n->key, sizeof(n->key), out);
}

static void view_free(struct node *node)
{
    struct view *v = (struct view *)node;
    struct views *s = v->all;
    pthread_mutex_lock(&s->lock);
    DL_DELETE(s->list, v);
    if (s->reads == v)
        s->reads = NULL;
    pthread_mutex_unlock(&s->lock);
    cutview_close(v->cut);
    free(v->key);
    free(v);
}

static struct view *view_new(struct views *s, const char *name, const struct cut_head *h)
{
    struct view *v = calloc(1, sizeof(*v));
    int n = v ? asprintf(&v->key, "%s %" PRIu64 " %s", h->id, h->serial, name) : -1;
    if (n < 0) {
        free(v);
        return NULL;
    }
    v->name = v->key + n - strlen(name);
    v->top.key.view = v;
    v->top.key.number = VIEW_TOP;
    v->all = s;
    v->serial = h->serial;
    memcpy(v->id, h->id, sizeof(v->id));
    v->created_ns = h->created_ns;
    return v;
}

int view_lookup(struct fs *fs, const struct node *dir, const char *name, bool moving,
                const struct cut_info *cut, struct node **out)
{
    struct views *s = fs->views;
    struct view *v = view_new(s, name, &cut->head);
    if (!v)
        return -ENOMEM;
    node_init(&v->top.node, &top_ops, moving ? NODE_VIEW_MOVING : NODE_VIEW,
              view_ino(v->serial, ""), dir);
    v->dir = dir->id;
    pthread_mutex_lock(&s->lock);
    DL_APPEND(s->list, v);
    pthread_mutex_unlock(&s->lock);
    int r = node_find_or_add(fs->nodes, &v->top.node, v->key, strlen(v->key), out);
    if (r < 0)
        return r;
    v = (struct view *)*out;
    lock_scope(&s->lock);
    lifetime_use(&v->life);
    return 0;
}

/* Looking into it */

/* The manifests of one view at a time are open: there may be as many of them as there are cuts, and as many
 * views. */
static bool view_begin(struct view *v)
{
    struct views *s = v->all;
    lock_scope(&s->lock);
    lifetime_use(&v->life);
    if (s->reads && s->reads != v && s->reads->cut)
        cutview_rest(s->reads->cut);
    s->reads = v;
    return v->cut;
}

/* -ESTALE: the cut is gone, or its number belongs to another one. */
static int view_look_into(struct fs *fs, struct view *v)
{
    struct err e = {0};
    cleanup(cutview_closep) struct cutview *cut = NULL;
    if (view_begin(v))
        return 0;
    int r = cutview_open(fs->cuts, v->serial, &cut, &e);
    if (r < 0)
        return r == -ENOENT ? -ESTALE : cutfile_failed(fs, "at/", r, &e);
    if (strcmp(cutview_head(cut)->id, v->id) != 0)
        return -ESTALE;
    lock_scope(&v->all->lock);
    if (!v->cut) /* else another thread was as fast */
        v->cut = steal_ptr(&cut);
    return 0;
}

/* It has been looked into, with result rc. */
static int view_end(struct fs *fs, struct view *v, int rc, const struct err *e)
{
    struct views *s = v->all;
    pthread_mutex_lock(&s->lock);
    if (s->reads != v && v->cut)
        cutview_rest(v->cut);
    pthread_mutex_unlock(&s->lock);
    if (rc == 0 || !e->text[0])
        return rc;
    rc = cutfile_failed(fs, "at/", rc, e);
    return rc == -ENOENT ? -ESTALE : rc; /* all of it is gone */
}

struct looked_up {
    struct view_node *dir;
    struct node **child;
};

static int view_found(void *ctx, size_t i, const struct cut_entry *e)
{
    struct looked_up *l = ctx;
    return view_node_for(l->dir, i, e, l->child);
}

static int view_folder_lookup(struct request *r, struct node *dir, const char *name,
                              struct node **child)
{
    struct view_node *d = (struct view_node *)dir;
    struct view *v = d->key.view;
    struct looked_up found = {d, child};
    struct err e = {0};
    char path[PATH_MAX];
    int rc = view_look_into(r->fs, v);
    if (rc < 0)
        return rc;
    const char *above = view_path_of(d);
    if (snprintf(path, sizeof(path), "%s%s%s", above, *above ? "/" : "", name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    rc = cutview_find(v->cut, path, view_found, &found, &e);
    return view_end(r->fs, v, rc, &e);
}

struct listed {
    struct view *view;
    struct names *out;
};

static int view_listed(void *ctx, size_t i, const struct cut_entry *e)
{
    struct listed *l = ctx;
    (void)i;
    return names_add(l->out, path_last(e->path), view_entry_ino(l->view, e), e->attr.mode);
}

static int view_folder_list(struct request *r, struct node *dir, struct names *out)
{
    struct view_node *d = (struct view_node *)dir;
    struct view *v = d->key.view;
    struct listed listed = {v, out};
    struct err e = {0};
    int rc = view_look_into(r->fs, v);
    if (rc < 0)
        return rc;
    rc = cutview_list(v->cut, view_path_of(d), view_listed, &listed, &e);
    return view_end(r->fs, v, rc, &e);
}

static int top_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct view *v = (const struct view *)n;
    (void)h;
    fs_attr(r->fs, st, n, S_IFDIR | 0755, 0, v->created_ns);
    st->st_nlink += 3; /* meta, data and wal, which are always there */
    return 0;
}

static int view_counted(void *ctx, size_t i, const struct cut_entry *e)
{
    (void)i;
    *(size_t *)ctx += cut_is_folder(e);
    return 0;
}

/* How many folders are in a folder, which does not change. */
static int view_count_folders(struct fs *fs, struct view_node *n, nlink_t *out)
{
    struct view *v = n->key.view;
    size_t found = atomic_load(&n->folders);
    struct err e = {0};
    if (!found) {
        int rc = view_look_into(fs, v);
        if (rc < 0)
            return rc;
        rc = cutview_list(v->cut, n->entry.path, view_counted, &found, &e);
        if ((rc = view_end(fs, v, rc, &e)) < 0)
            return rc;
        atomic_store(&n->folders, ++found);
    }
    *out = found - 1;
    return 0;
}

static int view_entry_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct view_node *k = (struct view_node *)n;
    const struct cut_entry *e = &k->entry;
    nlink_t folders = 0;
    (void)h;
    fs_attr(r->fs, st, n, e->attr.mode, e->attr.size, e->attr.mtime_ns);
    st->st_uid = e->attr.uid;
    st->st_gid = e->attr.gid;
    fs_mask(r->fs, st);
    if (path_below(e->path, "meta"))
        fs_hide_from_others(r->fs, st);
    int rc = cut_is_folder(e) ? view_count_folders(r->fs, k, &folders) : 0;
    st->st_nlink += folders;
    return rc;
}

static int view_file_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct view_node *k = (struct view_node *)n;
    struct err e = {0};
    (void)flags;
    autofree struct view_handle *vh = calloc(1, sizeof(*vh));
    if (!vh)
        return -ENOMEM;
    vh->fd = cuts_open_file(r->fs->cuts, &k->entry, &e);
    if (vh->fd < 0) /* what a leased cut retains is there, or was taken away */
        return cutfile_failed(r->fs, "at/", vh->fd == -ENOENT ? -EIO : vh->fd, &e);
    lock_scope(&k->key.view->all->lock);
    k->key.view->life.open++;
    *h = &steal_ptr(&vh)->h;
    return 0;
}

static ssize_t view_file_read(struct request *r, struct handle *h, char **buf, size_t n,
                              uint64_t off)
{
    const struct view_handle *vh = (const struct view_handle *)h;
    const struct cut_entry *f = &((const struct view_node *)h->node)->entry;
    if (off >= f->attr.size)
        return 0;
    if (n > f->attr.size - off)
        n = (size_t)(f->attr.size - off);
    int rc = io_pread_all(vh->fd, *buf, n, off);
    if (rc == 0)
        return (ssize_t)n;
    struct err e = {0};
    err_sys(&e, rc == -ENODATA ? -EIO : rc, "the retained file of %s", f->path);
    return cutfile_failed(r->fs, "at/", -EIO, &e);
}

static void view_file_release(struct handle *h)
{
    struct view_handle *vh = (struct view_handle *)h;
    struct view *v = ((struct view_node *)h->node)->key.view;
    pthread_mutex_lock(&v->all->lock);
    lifetime_close(&v->life);
    pthread_mutex_unlock(&v->all->lock);
    close(vh->fd);
    free(vh);
}

static const struct node_ops top_ops = {
    .getattr = top_getattr,
    .free = view_free,
    .lookup = view_folder_lookup,
    .list = view_folder_list,
};

static const struct node_ops folder_ops = {
    .getattr = view_entry_getattr,
    .free = view_entry_free,
    .lookup = view_folder_lookup,
    .list = view_folder_list,
};

static const struct node_ops file_ops = {
    .getattr = view_entry_getattr,
    .free = view_entry_free,
    .open = view_file_open,
    .read = view_file_read,
    .release = view_file_release,
};
