/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/changes.h"

#include "store/base/cleanup.h"
#include "store/influx/names.h"
#include "store/influxsnap/chainstate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define META "meta/" NAME_META_DB

/* A member of the capture, by its path. */
struct item {
    char *path;
    size_t i;
};

struct comparing {
    struct chainstate held; /* by the chain */
    struct loss *loss;
    struct item *items; /* sorted by path */
    size_t nitems;
    char *paths; /* memory of theirs */
    struct changes *out;
    bool internal; /* changes in _internal matter */
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
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
        c->out->matters |= c->internal || !name_in_database(item->path, NAME_INTERNAL);
}

static int lose(struct comparing *c, const struct chainstate_name *old)
{
    changes_touch_parent(c, old->name);
    c->out->matters |= c->internal || !name_in_database(old->name, NAME_INTERNAL);
    if (!old->file) {
        c->out->removed_folders[c->out->nremoved_folders++] = old->name;
        return 0;
    }
    c->out->removed[c->out->nremoved++] = old->name;
    const struct file_attr was = {.size = old->file->size};
    return loss_see(c->loss, old->name, &was, NULL);
}

static bool is_same(const struct chainstate_name *old, const struct member *m)
{
    return member_is_folder(m) ||
           (old->file->size == m->attr.size && old->file->mtime_ns == m->attr.mtime_ns);
}

/* A member of the capture, and what the chain holds under its name: NULL: nothing. */
static int changes_keep(struct comparing *c, const struct capture *now, const struct item *item,
                        const struct chainstate_name *old, struct err *e)
{
    const struct member *m = capture_member(now, item->i);
    const struct file_attr was = {.size = old && old->file ? old->file->size : 0};
    if (old && (old->file == NULL) != member_is_folder(m))
        return err_set(e, -EBADMSG, "%s was a file and is a folder now, or the reverse",
                       item->path);
    if (!old || !is_same(old, m))
        changes_take(c, now, item);
    return member_is_folder(m) ? 0 : loss_see(c->loss, item->path, old ? &was : NULL, &m->attr);
}

static int changes_compare(struct comparing *c, const struct capture *now, struct err *e)
{
    size_t i = 0, k = 0;
    int r = 0;
    while (r == 0 && (i < c->held.n || k < c->nitems)) {
        int d = i == c->held.n   ? 1
                : k == c->nitems ? -1
                                 : strcmp(c->held.at[i].name, c->items[k].path);
        const struct chainstate_name *old = d <= 0 ? &c->held.at[i++] : NULL;
        r = d < 0 ? lose(c, old) : changes_keep(c, now, &c->items[k++], old, e);
    }
    if (r == 0)
        r = loss_sum(c->loss, &c->out->lost);
    return r == -ENOMEM ? err_sys(e, r, "comparing") : r;
}

bool changes_of_internal(const struct capture *now)
{
    const struct selection *part = capture_origin(now)->selection;
    for (size_t i = 0; part && i < part->ndatabases; i++)
        if (strcmp(part->databases[i], NAME_INTERNAL) == 0)
            return true;
    return false;
}

int changes_find(const struct manifest *const chain[], size_t n, const struct capture *now,
                 struct changes *out, struct err *e)
{
    struct changes found = {0};
    struct comparing c = {.out = &found, .loss = loss_new(), .internal = changes_of_internal(now)};
    int r = chainstate_read(chain, n, &c.held);
    if (r == 0)
        r = changes_read_capture(&c, now, e);
    found.in = calloc(capture_count(now) + 1, sizeof(*found.in));
    found.removed = calloc(c.held.n + 1, sizeof(*found.removed));
    found.removed_folders = calloc(c.held.n + 1, sizeof(*found.removed_folders));
    if (r == 0 && (!c.loss || !found.in || !found.removed || !found.removed_folders))
        r = err_sys(e, -ENOMEM, "comparing");
    if (r == 0)
        r = changes_compare(&c, now, e);
    chainstate_clear(&c.held);
    loss_free(c.loss);
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
