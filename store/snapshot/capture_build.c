/* SPDX-License-Identifier: MIT */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/names.h"
#include "store/snapshot/pinned.h"
#include "store/snapshot/walparts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void capture_parts_clear(struct capture_parts *p)
{
    window_free(&p->window);
    held_put(p->meta_held);
    *p = (struct capture_parts){0};
}

/* Adds a run, which is taken over, also on failure. */
static int add_run(struct pinned *c, struct member_run *run)
{
    int r = run ? run_seal(run) : -ENOMEM;
    if (r < 0) {
        run_unref(run);
        return r;
    }
    return capture_add_run(&c->c, run);
}

/* A folder above the shards. */
static int add_folder(struct pinned *c, const char *root, const char *path, struct file_attr attr)
{
    return add_run(c, run_new(root, path, &attr, 0));
}

static const struct window_parent *parent(const struct window *w, bool in_wal, const char *path)
{
    for (size_t i = 0; i < w->nparents; i++) {
        const struct window_parent *p = &w->parents[i];
        if (p->in_wal == in_wal && strcmp(p->path, path) == 0)
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
        autofree char *sub = strndup(path, n);
        const struct window_parent *p = sub ? parent(w, in_wal, sub) : NULL;
        /* A WAL folder made since the walk: it has the shard's own times and owner. */
        struct file_attr attr = p ? file_attr_of(&p->folder.st) : capture_member(&c->c, 0)->attr;
        int r = sub ? add_folder(c, in_wal ? "wal" : "data", sub, attr) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
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
    m->attr = f->attr;
    m->attr.size = walparts_size(m->wal_cut);
    m->held = held_ref(f->held);
    return 0;
}

static size_t names_length(const struct shard_pin *s)
{
    size_t n = 1;
    for (size_t i = 0; i < s->nsegments; i++)
        n += strlen(s->segments[i].name) + 1;
    return n;
}

/* The run of a shard's segments, up to their WAL cuts. */
static int build_wal_run(const struct shard_pin *s, const struct window_wait *wait,
                         struct member_run **out, struct err *e)
{
    const struct file_attr folder = file_attr_of(&s->wal.st);
    cleanup(run_unrefp) struct member_run *run = run_new("wal", s->path, &folder, s->nsegments);
    char *at = run ? run->names = malloc(names_length(s)) : NULL;
    if (!at)
        return -ENOMEM;
    for (size_t i = 0; i < s->nsegments; i++) {
        const struct shard_file *f = &s->segments[i];
        struct member *m = run_add(run, at);
        if (wait && window_interrupted(wait))
            return err_set(e, -EINTR, "interrupted");
        at = stpcpy(at, f->name) + 1;
        int r = build_cut_wal(f, may_be_torn(s, i), m);
        if (r < 0)
            return err_sys(e, r == -ENODATA ? -EIO : r, "%s/%s", run->dir, f->name);
    }
    *out = steal_ptr(&run);
    return 0;
}

static int build_add_wal(struct pinned *c, struct shard_pin *s, const struct window_wait *wait,
                         struct err *e)
{
    int r = s->wal_run ? 0 : build_wal_run(s, wait, &s->wal_run, e);
    return r < 0 ? r : add_run(c, run_ref(s->wal_run));
}

static int add_meta(struct pinned *c, struct capture_parts *p)
{
    struct member_run *run = run_new("meta", "", &p->meta_folder, 1);
    if (!run)
        return -ENOMEM;
    struct member *m = run_add(run, NAME_META_DB);
    m->held = held_ref(p->meta_held);
    m->attr = p->meta_attr;
    return add_run(c, run);
}

static int add_root(struct pinned *c, const struct window *w, bool in_wal)
{
    const struct window_parent *p = parent(w, in_wal, "");
    if (!p)
        return 0;
    return add_folder(c, in_wal ? "wal" : "data", "", file_attr_of(&p->folder.st));
}

static int add_link(struct pinned *c, bool in_wal, const char *path, const char *target)
{
    char *text;
    if (!array_grow(&c->own_links, c->c.nlinks) ||
        asprintf(&text, "%s/%s -> %s", in_wal ? "wal" : "data", path, target) < 0)
        return -ENOMEM;
    c->own_links[c->c.nlinks++] = text;
    c->c.links = (const char *const *)c->own_links;
    return 0;
}

/* The folders and files of the chosen shards below data, or below wal. */
static int build_add_tree(struct pinned *c, struct capture_parts *p, const bool *chosen,
                          bool in_wal, struct err *e)
{
    struct window *w = &p->window;
    const char *before = NULL;
    int r = add_root(c, w, in_wal);
    for (size_t i = 0; r == 0 && i < w->nshards; i++) {
        struct shard_pin *s = &w->shards[i];
        const char *link = in_wal ? s->wal_link : s->link;
        if (!chosen[i] || (in_wal && !s->has_wal))
            continue;
        r = build_add_parents(c, w, in_wal, before, s->path);
        if (r == 0)
            r = in_wal ? build_add_wal(c, s, p->wait, e) : add_run(c, run_ref(s->set->run));
        if (r == 0 && link)
            r = add_link(c, in_wal, s->path, link);
        before = s->path;
    }
    return r;
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
        r = capture_digest_runs(&c->c, c->digest);
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
