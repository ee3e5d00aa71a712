/* SPDX-License-Identifier: MIT */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/influx/names.h"
#include "store/snapshot/pinned.h"
#include "store/snapshot/walparts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void capture_parts_clear(struct capture_parts *p)
{
    window_free(&p->window);
    meta_free(p->meta);
    held_put(p->meta_held);
    *p = (struct capture_parts){0};
}

/* Gives s to the capture, which frees it. */
static int keep(struct pinned *c, char *s)
{
    if (!s || !array_grow(&c->strings, c->nstrings)) {
        free(s);
        return -ENOMEM;
    }
    c->strings[c->nstrings++] = s;
    return 0;
}

static int keep_path(struct pinned *c, const char *root, const char *path, const char **out)
{
    char *s = path_join(root, path);
    int r = keep(c, s);
    if (r == 0)
        *out = s;
    return r;
}

static int add(struct pinned *c, const struct member *m)
{
    if (!array_grow(&c->c.members, c->c.n))
        return -ENOMEM;
    c->c.members[c->c.n++] = *m;
    return 0;
}

static int add_folder(struct pinned *c, const char *dir, const char *name, struct file_attr attr)
{
    return add(c, &(struct member){.dir = dir, .name = name, .attr = attr});
}

/* Adds the folder root/path, split into dir and name. */
static int build_add_folder_at(struct pinned *c, const char *root, const char *path,
                               struct file_attr attr)
{
    const char *whole;
    int r = keep_path(c, root, path, &whole);
    if (r < 0)
        return r;
    char *slash = strrchr(whole, '/');
    if (!slash)
        return add_folder(c, "", whole, attr);
    *slash = 0;
    return add_folder(c, whole, slash + 1, attr);
}

static const struct window_parent *parent(const struct window *w, bool in_wal, const char *path,
                                          size_t len)
{
    for (size_t i = 0; i < w->nparents; i++) {
        const struct window_parent *p = &w->parents[i];
        if (p->in_wal == in_wal && strlen(p->path) == len && memcmp(p->path, path, len) == 0)
            return p;
    }
    return NULL;
}

/* How many bytes of path are "DB" (levels 1) or "DB/RP" (levels 2). */
static size_t head(const char *path, int levels)
{
    size_t n = strcspn(path, "/");
    return levels == 1 ? n : n + 1 + strcspn(path + n + 1, "/");
}

/* Adds the folders above a shard that the shard before it does not share. */
static int build_add_parents(struct pinned *c, const struct window *w, bool in_wal,
                             const char *before, const char *path)
{
    for (int level = 1; level <= 2; level++) {
        size_t n = head(path, level);
        if (before && head(before, level) == n && memcmp(before, path, n) == 0)
            continue;
        const struct window_parent *p = parent(w, in_wal, path, n);
        /* A WAL folder made since the walk: it has the shard's own times and owner. */
        struct file_attr attr = p ? file_attr_of(&p->folder.st) : c->c.members[0].attr;
        autofree char *sub = strndup(path, n);
        int r = sub ? build_add_folder_at(c, in_wal ? "wal" : "data", sub, attr) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

/* Gives h to the capture, which puts it. */
static int hold(struct pinned *c, struct held *h)
{
    if (!array_grow(&c->holds, c->nholds))
        return -ENOMEM;
    c->holds[c->nholds++] = held_ref(h);
    return 0;
}

/* The members of the same set in an earlier capture, or NULL. Sets come in walk order, so the
 * search continues from a similar place. */
static const struct member *earlier_members(const struct pinned *earlier, size_t near,
                                            const struct shard_set *set)
{
    size_t n = earlier ? earlier->nsets : 0;
    for (size_t tried = 0; tried < n; tried++) {
        const struct capture_set *s = &earlier->sets[(near + tried) % n];
        if (s->set == set)
            return &earlier->c.members[s->first];
    }
    return NULL;
}

static int build_add_set(struct pinned *c, const struct pinned *earlier, const char *dir,
                         struct shard_set *set)
{
    int r = 0;
    if (!array_grow(&c->sets, c->nsets))
        return -ENOMEM;
    const struct member *was = earlier_members(earlier, c->nsets, set);
    c->sets[c->nsets++] = (struct capture_set){shard_set_ref(set), c->c.n};
    for (size_t i = 0; r == 0 && i < set->n; i++) {
        const struct shard_file *f = &set->files[i];
        r = add(c, &(struct member){.dir = dir,
                                    .name = f->name,
                                    .held = f->held,
                                    .attr = f->attr,
                                    .index = was ? was[i].index : 0});
    }
    return r;
}

static int add_data(struct pinned *c, const struct pinned *earlier, const struct shard_pin *s)
{
    const char *dir;
    int r = build_add_folder_at(c, "data", s->path, file_attr_of(&s->data.st));
    if (r == 0)
        r = keep_path(c, "data", s->path, &dir);
    if (r == 0)
        r = build_add_set(c, earlier, dir, s->set);
    if (r == 0 && s->has_index)
        r = add_folder(c, dir, NAME_INDEX, s->index);
    return r;
}

/* Whether influxd may be writing the segment, or was when it was killed: the newest. Names of more
 * than five digits do not sort by number; influxd, at a start, takes the last by name for the
 * newest. */
static bool may_be_torn(const struct shard_pin *s, size_t i)
{
    size_t last = s->nsegments - 1;
    return i == last || strlen(s->segments[i].name) > strlen(s->segments[last].name);
}

static int build_cut_wal(const struct shard_file *f, bool growing, struct member *m)
{
    uint64_t known = held_scanned(f->held, &f->attr);
    int r = walparts_find(held_fd(f->held), f->attr.size, growing, &known, &m->wal_cut);
    if (r < 0)
        return r;
    held_set_scanned(f->held, &f->attr, known);
    m->attr.size = walparts_size(m->wal_cut);
    return 0;
}

static int build_add_wal(struct pinned *c, const struct shard_pin *s,
                         const struct window_wait *wait, struct err *e)
{
    const char *dir;
    int r = build_add_folder_at(c, "wal", s->path, file_attr_of(&s->wal.st));
    if (r == 0)
        r = keep_path(c, "wal", s->path, &dir);
    for (size_t i = 0; r == 0 && i < s->nsegments; i++) {
        const struct shard_file *f = &s->segments[i];
        struct member m = {.dir = dir, .attr = f->attr};
        if (wait && window_interrupted(wait))
            return err_set(e, -EINTR, "interrupted");
        r = keep_path(c, f->name, "", &m.name);
        if (r == 0)
            r = build_cut_wal(f, may_be_torn(s, i), &m);
        if (r < 0)
            return err_sys(e, r == -ENODATA ? -EIO : r, "%s/%s", dir, f->name);
        m.held = f->held;
        r = hold(c, f->held);
        if (r == 0)
            r = add(c, &m);
        if (r < 0)
            free(m.wal_cut);
    }
    return r;
}

static int add_meta(struct pinned *c, struct capture_parts *p)
{
    int r = add_folder(c, "", "meta", p->meta_folder);
    if (r < 0)
        return r;
    struct member m = {
        .dir = "meta", .name = "meta.db", .held = p->meta_held, .attr = p->meta_attr};
    c->meta = c->c.n;
    r = hold(c, p->meta_held);
    return r < 0 ? r : add(c, &m);
}

static int add_root(struct pinned *c, const struct window *w, bool in_wal)
{
    const struct window_parent *p = parent(w, in_wal, "", 0);
    if (!p)
        return 0;
    return add_folder(c, "", in_wal ? "wal" : "data", file_attr_of(&p->folder.st));
}

static int add_link(struct pinned *c, bool in_wal, const char *path, const char *target)
{
    char *text = NULL;
    if (!array_grow(&c->own_links, c->c.nlinks) ||
        asprintf(&text, "%s/%s -> %s", in_wal ? "wal" : "data", path, target) < 0)
        return -ENOMEM;
    int r = keep(c, text);
    if (r == 0)
        c->own_links[c->c.nlinks++] = text;
    c->c.links = c->own_links;
    return r;
}

/* The folders and files of the chosen shards below data, or below wal. */
static int build_add_tree(struct pinned *c, const struct capture_parts *p, const bool *chosen,
                          bool in_wal, struct err *e)
{
    const struct window *w = &p->window;
    const char *before = NULL;
    int r = add_root(c, w, in_wal);
    for (size_t i = 0; r == 0 && i < w->nshards; i++) {
        const struct shard_pin *s = &w->shards[i];
        const char *link = in_wal ? s->wal_link : s->link;
        if (!chosen[i] || (in_wal && !s->has_wal))
            continue;
        r = build_add_parents(c, w, in_wal, before, s->path);
        if (r == 0)
            r = in_wal ? build_add_wal(c, s, p->wait, e) : add_data(c, p->earlier, s);
        if (r == 0 && link)
            r = add_link(c, in_wal, s->path, link);
        before = s->path;
    }
    return r;
}

static uint64_t inode(const struct member *m)
{
    return m->held ? held_inode(m->held) : 0;
}

static int build(struct pinned *c, struct capture_parts *p, struct err *e)
{
    autofree bool *chosen = calloc(p->window.nshards + 1, sizeof(*chosen));
    if (!chosen)
        return -ENOMEM;
    int r = capture_choose(p, chosen, &c->omissions, e);
    if (r == 0)
        r = add_meta(c, p);
    if (r == 0)
        r = build_add_tree(c, p, chosen, false, e);
    if (r == 0)
        r = build_add_tree(c, p, chosen, true, e);
    if (r == 0)
        r = capture_proportion(&c->c, p->allow_left_out, e);
    if (r == 0)
        r = capture_digest(&c->c, inode, NULL, 0, c->digest);
    if (r < 0)
        return r;
    c->window = p->window;
    p->window = (struct window){0};
    return 0;
}

int capture_build(struct capture_parts *p, struct catalog *catalog, struct pinned **out,
                  struct err *e)
{
    struct pinned *c = pinned_new(catalog);
    if (!c)
        return -ENOMEM;
    int r = build(c, p, e);
    if (r < 0) {
        capture_unref(&c->c);
        return e && e->text[0] ? r : err_sys(e, r, "building the capture");
    }
    *out = c;
    return 0;
}
