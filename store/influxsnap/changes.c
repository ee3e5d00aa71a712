/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/changes.h"

#include "store/base/cleanup.h"
#include "store/influx/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define META "meta/" NAME_META_DB

enum what { GONE, FILE_HELD, FOLDER_HELD };

/* What one snapshot says of one name. */
struct event {
    const char *name;
    size_t rank; /* of the snapshot in the chain: the last word counts */
    enum what what;
    const struct manifest_file *file;
};

/* A member of the capture, by its path. */
struct item {
    char *path;
    size_t i;
};

struct comparing {
    struct event *events; /* in the end: what the chain holds, sorted by name */
    size_t nevents;
    struct item *items; /* sorted by path */
    size_t nitems;
    char *paths; /* memory of theirs */
    struct changes *out;
};

static int by_name(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    int d = strcmp(x->name, y->name);
    return d ? d : (x->rank > y->rank) - (x->rank < y->rank);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

static void add(struct comparing *c, const char *name, size_t rank, enum what what,
                const struct manifest_file *file)
{
    c->events[c->nevents++] = (struct event){name, rank, what, file};
}

static void add_names(struct comparing *c, char *const *names, size_t n, size_t rank,
                      enum what what)
{
    for (size_t i = 0; i < n; i++)
        add(c, names[i], rank, what, NULL);
}

/* What the chain holds, as a list of names. */
static int changes_read_chain(struct comparing *c, const struct manifest *const chain[], size_t n)
{
    size_t most = 0;
    for (size_t k = 0; k < n; k++)
        most +=
            chain[k]->nfiles + chain[k]->nfolders + chain[k]->nremoved + chain[k]->nremoved_folders;
    c->events = calloc(most + 1, sizeof(*c->events));
    if (!c->events)
        return -ENOMEM;
    for (size_t k = 0; k < n; k++) {
        add_names(c, chain[k]->removed, chain[k]->nremoved, k, GONE);
        add_names(c, chain[k]->removed_folders, chain[k]->nremoved_folders, k, GONE);
        add_names(c, chain[k]->folders, chain[k]->nfolders, k, FOLDER_HELD);
        for (size_t i = 0; i < chain[k]->nfiles; i++)
            add(c, chain[k]->files[i].name, k, FILE_HELD, &chain[k]->files[i]);
    }
    if (c->nevents)
        qsort(c->events, c->nevents, sizeof(*c->events), by_name);
    size_t kept = 0;
    for (size_t i = 0; i < c->nevents; i++) {
        bool last = i + 1 == c->nevents || strcmp(c->events[i].name, c->events[i + 1].name) != 0;
        if (last && c->events[i].what != GONE)
            c->events[kept++] = c->events[i];
    }
    c->nevents = kept;
    return 0;
}

static int changes_read_capture(struct comparing *c, const struct capture *now, struct err *e)
{
    size_t bytes = 1, n = capture_count(now);
    for (size_t i = 0; i < n; i++)
        bytes += member_path_len(capture_member(now, i)) + 1;
    c->items = calloc(n + 1, sizeof(*c->items));
    char *at = c->paths = malloc(bytes);
    if (!c->items || !at)
        return err_sys(e, -ENOMEM, "comparing");
    for (size_t i = 0; i < n; i++) {
        member_path(capture_member(now, i), at);
        if (!manifest_name_ok(at, member_is_folder(capture_member(now, i))))
            return err_set(e, -EINVAL, "%s has a name that no snapshot may hold", at);
        c->items[c->nitems++] = (struct item){at, i};
        at += strlen(at) + 1;
    }
    if (n)
        qsort(c->items, n, sizeof(*c->items), by_path);
    return 0;
}

/* A folder whose entries have changed has another time, so it is included. */
static void changes_touch_parent(struct comparing *c, const char *path)
{
    char parent[MEMBER_PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash)
        return;
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = 0;
    const struct item key = {.path = parent};
    const struct item *found = bsearch(&key, c->items, c->nitems, sizeof(*c->items), by_path);
    if (found)
        c->out->in[found->i] = true;
}

static void changes_take(struct comparing *c, const struct capture *now, const struct item *item)
{
    const struct member *m = capture_member(now, item->i);
    c->out->in[item->i] = true;
    changes_touch_parent(c, item->path);
    if (!member_is_folder(m)) {
        c->out->files++;
        c->out->bytes += m->attr.size;
    }
    if (strcmp(item->path, META) == 0)
        c->out->meta = true;
    else
        c->out->matters |= !name_in_database(item->path, NAME_INTERNAL);
}

static void lose(struct comparing *c, const struct event *old)
{
    if (old->what == FOLDER_HELD)
        c->out->removed_folders[c->out->nremoved_folders++] = old->name;
    else
        c->out->removed[c->out->nremoved++] = old->name;
    changes_touch_parent(c, old->name);
    c->out->matters |= !name_in_database(old->name, NAME_INTERNAL);
}

static bool is_same(const struct event *old, const struct member *m)
{
    return member_is_folder(m) ||
           (old->file->size == m->attr.size && old->file->mtime_ns == m->attr.mtime_ns);
}

static int changes_compare(struct comparing *c, const struct capture *now, struct err *e)
{
    size_t i = 0, k = 0;
    while (i < c->nevents || k < c->nitems) {
        int d = i == c->nevents  ? 1
                : k == c->nitems ? -1
                                 : strcmp(c->events[i].name, c->items[k].path);
        if (d < 0) {
            lose(c, &c->events[i++]);
            continue;
        }
        const struct item *item = &c->items[k++];
        const struct member *m = capture_member(now, item->i);
        const struct event *old = d == 0 ? &c->events[i++] : NULL;
        if (old && (old->what == FOLDER_HELD) != member_is_folder(m))
            return err_set(e, -EBADMSG, "%s was a file and is a folder now, or the reverse",
                           item->path);
        if (!old || !is_same(old, m))
            changes_take(c, now, item);
    }
    return 0;
}

int changes_find(const struct manifest *const chain[], size_t n, const struct capture *now,
                 struct changes *out, struct err *e)
{
    struct changes found = {0};
    struct comparing c = {.out = &found};
    int r = changes_read_chain(&c, chain, n);
    if (r == 0)
        r = changes_read_capture(&c, now, e);
    found.in = calloc(capture_count(now) + 1, sizeof(*found.in));
    found.removed = calloc(c.nevents + 1, sizeof(*found.removed));
    found.removed_folders = calloc(c.nevents + 1, sizeof(*found.removed_folders));
    if (r == 0 && (!found.in || !found.removed || !found.removed_folders))
        r = err_sys(e, -ENOMEM, "comparing");
    if (r == 0)
        r = changes_compare(&c, now, e);
    free(c.events);
    free(c.items);
    free(c.paths);
    if (r < 0)
        changes_clear(&found);
    else
        *out = found;
    return r;
}

void changes_clear(struct changes *c)
{
    free(c->in);
    free((void *)c->removed);
    free((void *)c->removed_folders);
    *c = (struct changes){0};
}
