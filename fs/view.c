/* SPDX-License-Identifier: MIT */
#include "fs/view.h"

#include "fs/cutfile.h"
#include "fs/view_internal.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct view_handle {
    struct handle h;
    int fd;
};

static const struct node_ops fixed_top_ops, moving_top_ops, folder_ops, file_ops;

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

static ino_t ino_of(uint64_t serial, uint64_t seq, const char *path)
{
    uint64_t hash = fs_hash(FS_HASH, &serial, sizeof(serial));
    hash = fs_hash(hash, &seq, sizeof(seq));
    hash = fs_hash(hash, path, strlen(path));
    return (hash & (((uint64_t)1 << 60) - 1)) | (uint64_t)4 << 60;
}

ino_t view_ino(uint64_t serial, const char *path)
{
    return ino_of(serial, UINT64_MAX, path);
}

/* A file that is in several cuts is one file, for whoever compares them. */
static ino_t entry_ino(const struct view *v, const struct cut_entry *e)
{
    return cut_is_folder(e) ? view_ino(v->serial, e->path)
                            : ino_of(e->place.serial, e->place.seq, e->path);
}

/* Nodes */

static int add_node(struct view *v, size_t entry, struct view_node **out)
{
    struct view_node *old, *n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    n->view = v;
    n->entry = entry;
    const struct cut_entry *e = view_entry_of(n);
    n->node.ops = !e                 ? v->moving ? &moving_top_ops : &fixed_top_ops
                  : cut_is_folder(e) ? &folder_ops
                                     : &file_ops;
    HASH_REPLACE(by_entry, v->nodes, entry, sizeof(n->entry), n, old);
    v->refs++;
    node_add(v->all->fs->nodes, &n->node, false);
    *out = n;
    return 0;
}

/* The node of an entry, pinned. Called with the lock. */
static int node_for(struct view *v, size_t entry, struct node **out)
{
    struct view_node *n;
    int r = 0;
    HASH_FIND(by_entry, v->nodes, &entry, sizeof(entry), n);
    /* A node that is being freed is no longer in the node table. */
    if (!n || !node_pin(v->all->fs->nodes, n->node.id))
        r = add_node(v, entry, &n);
    if (r == 0)
        *out = &n->node;
    return r;
}

static void take_out(struct view *v)
{
    struct view **p = &v->all->list;
    while (*p != v)
        p = &(*p)->next;
    *p = v->next;
}

static void free_view(struct view *v)
{
    if (v->state)
        cuts_put_state(v->all->fs->cuts, v->state);
    free(v->name);
    free(v);
}

static void view_node_free(struct node *node)
{
    struct view_node *n = (struct view_node *)node, *listed;
    struct view *v = n->view;
    struct views *s = v->all;
    pthread_mutex_lock(&s->lock);
    HASH_FIND(by_entry, v->nodes, &n->entry, sizeof(n->entry), listed);
    if (listed == n)
        HASH_DELETE(by_entry, v->nodes, n);
    bool last = --v->refs == 0;
    if (last)
        take_out(v);
    pthread_mutex_unlock(&s->lock);
    free(n);
    if (last)
        free_view(v);
}

/* Called with the lock. */
static struct view *find_view(struct views *s, const char *name, const struct cut_head *h)
{
    struct view *v = s->list;
    while (v && (v->serial != h->serial || strcmp(v->name, name) != 0 || strcmp(v->id, h->id) != 0))
        v = v->next;
    return v;
}

static struct view *new_view(struct views *s, const char *name, const struct cut_head *h)
{
    struct view *v = calloc(1, sizeof(*v));
    if (!v || !(v->name = strdup(name))) {
        free(v);
        return NULL;
    }
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
    struct view *fresh = new_view(s, name, &cut->head);
    if (!fresh)
        return -ENOMEM;
    pthread_mutex_lock(&s->lock);
    struct view *v = find_view(s, name, &cut->head);
    if (!v) {
        v = fresh;
        v->dir = dir->id;
        v->moving = moving;
    }
    v->used_ns = io_mono_ns();
    int r = node_for(v, VIEW_TOP, out);
    if (r == 0 && v == fresh) {
        v->next = s->list;
        s->list = steal_ptr(&fresh);
    }
    pthread_mutex_unlock(&s->lock);
    if (fresh)
        free_view(fresh);
    return r;
}

/* Looking into it */

static bool has_state(struct view *v)
{
    pthread_mutex_lock(&v->all->lock);
    v->used_ns = io_mono_ns();
    bool have = v->state;
    pthread_mutex_unlock(&v->all->lock);
    return have;
}

/* -ESTALE: the cut is not there any more, or another one has its number. */
static int look_into(struct fs *fs, struct view *v)
{
    struct err e = {0};
    struct cutstate *state;
    if (has_state(v))
        return 0;
    int r = cuts_get_state(fs->cuts, v->serial, &state, &e);
    if (r < 0)
        return r == -ENOENT ? -ESTALE : cutfile_failed(fs, "at/", r, &e);
    if (strcmp(cutstate_head(state)->id, v->id) != 0) {
        cuts_put_state(fs->cuts, state);
        return -ESTALE;
    }
    pthread_mutex_lock(&v->all->lock);
    if (!v->state)
        v->state = steal_ptr(&state);
    pthread_mutex_unlock(&v->all->lock);
    if (state) /* another thread was as fast */
        cuts_put_state(fs->cuts, state);
    return 0;
}

static int folder_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
{
    struct view_node *d = (struct view_node *)dir;
    struct view *v = d->view;
    char path[PATH_MAX];
    int rc = look_into(r->fs, v);
    if (rc < 0)
        return rc;
    const char *above = view_path_of(d);
    if (snprintf(path, sizeof(path), "%s%s%s", above, *above ? "/" : "", name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    size_t i = cutstate_find(v->state, path);
    if (i == SIZE_MAX)
        return -ENOENT;
    pthread_mutex_lock(&v->all->lock);
    rc = node_for(v, i, child);
    pthread_mutex_unlock(&v->all->lock);
    return rc;
}

static int folder_list(struct request *r, struct node *dir, struct names *out)
{
    struct view_node *d = (struct view_node *)dir;
    const struct view *v = d->view;
    size_t n;
    int rc = look_into(r->fs, d->view);
    if (rc < 0)
        return rc;
    const struct cut_entry *e = cutstate_entries(v->state, &n);
    const char *path = view_path_of(d);
    for (size_t i = cutstate_first_child(v->state, path); rc == 0 && i != SIZE_MAX;
         i = cutstate_next_child(v->state, path, i + 1)) {
        const char *slash = strrchr(e[i].path, '/');
        rc = names_add(out, slash ? slash + 1 : e[i].path, entry_ino(v, &e[i]), e[i].attr.mode);
    }
    return rc;
}

static int top_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct view *v = ((const struct view_node *)n)->view;
    (void)h;
    fs_attr(r->fs, st, view_ino(v->serial, ""), S_IFDIR | 0755, 0, v->created_ns);
    st->st_nlink += 3; /* meta, data and wal, which are always there */
    return 0;
}

static nlink_t count_folders(const struct cutstate *s, const char *path)
{
    size_t n;
    nlink_t found = 0;
    const struct cut_entry *e = cutstate_entries(s, &n);
    for (size_t i = cutstate_first_child(s, path); i != SIZE_MAX;
         i = cutstate_next_child(s, path, i + 1))
        found += cut_is_folder(&e[i]);
    return found;
}

static int entry_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct view_node *k = (const struct view_node *)n;
    const struct cut_entry *e = view_entry_of(k);
    (void)h;
    fs_attr(r->fs, st, entry_ino(k->view, e), e->attr.mode, e->attr.size, e->attr.mtime_ns);
    st->st_uid = e->attr.uid;
    st->st_gid = e->attr.gid;
    fs_mask(r->fs, st);
    if (cut_is_folder(e))
        st->st_nlink += count_folders(k->view->state, e->path);
    return 0;
}

static void count_open(struct view *v, int by)
{
    pthread_mutex_lock(&v->all->lock);
    v->open += (unsigned)by;
    v->used_ns = io_mono_ns();
    pthread_mutex_unlock(&v->all->lock);
}

static int file_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct view_node *k = (struct view_node *)n;
    struct err e = {0};
    (void)flags;
    struct view_handle *vh = calloc(1, sizeof(*vh));
    if (!vh)
        return -ENOMEM;
    vh->fd = cuts_open_file(r->fs->cuts, view_entry_of(k), &e);
    if (vh->fd < 0) {
        int rc = vh->fd;
        free(vh);
        /* What a leased cut retains is there, or was taken away. */
        return cutfile_failed(r->fs, "at/", rc == -ENOENT ? -EIO : rc, &e);
    }
    count_open(k->view, 1);
    *h = &vh->h;
    return 0;
}

static ssize_t file_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    const struct view_handle *vh = (const struct view_handle *)h;
    const struct cut_entry *f = view_entry_of((const struct view_node *)h->node);
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

static void file_release(struct handle *h)
{
    struct view_handle *vh = (struct view_handle *)h;
    count_open(((struct view_node *)h->node)->view, -1);
    close(vh->fd);
    free(vh);
}

static const struct node_ops fixed_top_ops = {
    .entry_timeout = 1,
    .attr_timeout = NODE_FOR_EVER,
    .getattr = top_getattr,
    .free = view_node_free,
    .lookup = folder_lookup,
    .list = folder_list,
};

static const struct node_ops moving_top_ops = {
    .attr_timeout = NODE_FOR_EVER,
    .getattr = top_getattr,
    .free = view_node_free,
    .lookup = folder_lookup,
    .list = folder_list,
};

static const struct node_ops folder_ops = {
    .entry_timeout = NODE_FOR_EVER,
    .attr_timeout = NODE_FOR_EVER,
    .getattr = entry_getattr,
    .free = view_node_free,
    .lookup = folder_lookup,
    .list = folder_list,
};

static const struct node_ops file_ops = {
    .entry_timeout = NODE_FOR_EVER,
    .attr_timeout = NODE_FOR_EVER,
    .keep = true,
    .getattr = entry_getattr,
    .free = view_node_free,
    .open = file_open,
    .read = file_read,
    .release = file_release,
};
