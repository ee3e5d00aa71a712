/* SPDX-License-Identifier: MIT */
/* What has changed since the newest cut: the capture and the state of that cut, both sorted by path,
 * are walked side by side. Folders that the capture does not list are passed over in both. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/chain/cut_make_internal.h"
#include "store/influx/names.h"
#include "store/snapshot/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool cut_excludes(const struct cut_rules *rules, const char *path)
{
    for (size_t i = 0; i < rules->nexclude; i++)
        if (name_in_database(path, rules->exclude[i]))
            return true;
    return false;
}

static int by_path(const void *a, const void *b)
{
    return cut_path_cmp(((const struct cut_item *)a)->path, ((const struct cut_item *)b)->path);
}

int cut_choose(struct making *m, struct err *e)
{
    size_t all = capture_count(m->capture), bytes = 0;
    for (size_t i = 0; i < all; i++)
        bytes += member_path_len(capture_member(m->capture, i)) + 1;
    m->n = 0;
    m->items = calloc(all + 1, sizeof(*m->items));
    char *at = m->paths = malloc(bytes + 1);
    if (!m->items || !at)
        return err_sys(e, -ENOMEM, "cut");
    bool sorted = true; /* usually: a capture has nearly this order */
    for (size_t i = 0; i < all; i++) {
        const struct member *member = capture_member(m->capture, i);
        member_path(member, at);
        if (cut_excludes(m->rules, at))
            continue;
        if (!manifest_name_ok(at, member_is_folder(member)))
            return err_set(e, -EINVAL, "%s has a name that no snapshot may hold", at);
        sorted = sorted && (m->n == 0 || cut_path_cmp(m->items[m->n - 1].path, at) < 0);
        m->items[m->n++] = (struct cut_item){at, i};
        at += strlen(at) + 1;
    }
    if (!sorted)
        qsort(m->items, m->n, sizeof(*m->items), by_path);
    return 0;
}

struct comparing {
    struct making *m;
    unsigned look;
    struct cutstream *stream;
    const struct cut_entry *old; /* at hand in the newest cut; NULL: its end */
    size_t next;                 /* the item at hand */
    bool has_folder;             /* the newest cut has the item that was last */
    uint64_t drafted;            /* the lines up to here have been taken */
};

static bool is_internal(const char *path)
{
    return name_in_database(path, NAME_INTERNAL);
}

static bool same_owner(const struct file_attr *a, const struct file_attr *b)
{
    return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

/* A folder's time changes with each file in it; that alone is no change. */
static bool is_changed(const struct cut_entry *old, const struct member *m, bool *matters)
{
    const bool owner = !same_owner(&old->attr, &m->attr);
    *matters = owner || !member_is_folder(m);
    return owner || old->attr.mtime_ns != m->attr.mtime_ns ||
           (!member_is_folder(m) && !cut_same_bytes(old, m));
}

/* A file or folder of the newest cut that is not there any more. */
static int compare_gone(struct making *m, const struct cut_entry *old, struct err *e)
{
    struct cutlist *l = &m->list;
    const char *path = arena_text(&m->names, old->path, strlen(old->path));
    const bool folder = cut_is_folder(old);
    if (!path || !(folder ? array_grow(&l->removed_folders, l->nremoved_folders)
                          : array_grow(&l->removed, l->nremoved)))
        return err_sys(e, -ENOMEM, "cut");
    if (folder)
        l->removed_folders[l->nremoved_folders++] = path;
    else
        l->removed[l->nremoved++] = path;
    m->changed = true;
    m->matters |= !is_internal(path);
    if (folder || cut_excludes(m->rules, path))
        return 0;
    return loss_see(m->loss, path, &old->attr, NULL) < 0 ? err_sys(e, -ENOMEM, "cut") : 0;
}

/* The same path in both; was is NULL if it is new. */
static int compare_weigh(struct making *m, const struct cut_entry *was, const struct cut_item *item,
                         bool changed, bool matters, struct err *e)
{
    const struct member *now = capture_member(m->capture, item->i);
    if (!member_is_folder(now) &&
        loss_see(m->loss, item->path, was ? &was->attr : NULL, &now->attr) < 0)
        return err_sys(e, -ENOMEM, "cut");
    if (!changed)
        return 0;
    int r = 0;
    if (was && strcmp(item->path, NAME_META_MEMBER) == 0)
        r = cut_meta_matters(m, was, item, &matters, e);
    m->changed = true;
    m->matters |= matters && !is_internal(item->path);
    return r;
}

static int compare_keep(struct making *m, const struct cut_entry *was, const struct cut_item *item,
                        struct err *e)
{
    const struct member *member = capture_member(m->capture, item->i);
    const bool folder = member_is_folder(member);
    if (was && cut_is_folder(was) != folder)
        return err_set(e, -EIO, "%s was a file and is a folder now, or the reverse", item->path);
    struct cut_entry entry = {.path = item->path, .attr = member->attr};
    int r = folder ? 0 : cut_retain(m, was, item, &entry, e);
    if (r == 0)
        cutdraft_put(m->draft, &entry);
    return r;
}

static int compare_item(struct comparing *c, const struct cut_entry *was,
                        const struct cut_item *item, struct err *e)
{
    bool matters = true, back = false;
    bool changed = !was || is_changed(was, capture_member(c->m->capture, item->i), &matters);
    int r = was && changed ? cut_is_put_back(c->m, was, item, &back, e) : 0;
    changed = changed && !back;
    if (r == 0 && (c->look & CUT_WEIGH))
        r = compare_weigh(c->m, was, item, changed, matters, e);
    if (r == 0 && changed && (c->look & CUT_RETAIN))
        r = compare_keep(c->m, was, item, e);
    return r;
}

/* What was drafted since the last time is the next of the cut. */
static int compare_take(struct comparing *c)
{
    const uint64_t from = c->drafted;
    c->drafted = cutdraft_at(c->m->draft);
    return cutdraft_take(c->m->draft, from, c->drafted - from);
}

static bool lies_in(const char *path, const char *folder)
{
    const char *rest = path_below(path, folder);
    return rest && (*rest || !*folder);
}

static int step(struct comparing *c, struct err *e)
{
    return cutstream_next(c->stream, &c->old, e);
}

/* The files of a folder are passed over: they are those of a piece, or the same as in the newest cut,
 * which has the folder, then. */
static int compare_pass(struct comparing *c, const char *folder, const struct capture_run *run,
                        const struct cut_piece *p, struct err *e)
{
    struct making *m = c->m;
    int r = 0;
    if (!p && !c->has_folder)
        return err_set(e, -EIO,
                       "%s: the catalogue takes its files for those of the newest cut, which has "
                       "none: remove catalog.mdb from the state folder, and cut again",
                       folder);
    if (p && (c->look & CUT_RETAIN)) {
        r = compare_take(c);
        if (r == 0)
            r = cutdraft_take(m->draft, p->at, p->len);
    } else if (!p && (c->look & CUT_WEIGH)) {
        r = loss_see_same(m->loss, folder, run->files, run->bytes);
    }
    while (c->next < m->n && lies_in(m->items[c->next].path, folder))
        c->next++;
    return r < 0 ? err_sys(e, r, "cut") : cutstream_skip(c->stream, folder, e);
}

static void compare_forget(const char **names, size_t *n, const char *folder)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (!lies_in(names[i], folder))
            names[kept++] = names[i];
    *n = kept;
}

/* The folder has changed since its files were retained as a piece. */
static int compare_drop_piece(struct making *m, struct cut_piece *p, struct err *e)
{
    struct cutlist *l = &m->list;
    int r = pool_take_back(&m->pool, p->first, p->n, e);
    if (r < 0)
        return r;
    loss_forget(m->loss, p->folder);
    compare_forget(l->removed, &l->nremoved, p->folder);
    compare_forget(l->removed_folders, &l->nremoved_folders, p->folder);
    m->out->files -= p->files;
    m->out->bytes -= p->bytes;
    const size_t after = m->npieces - (size_t)(p - m->pieces) - 1;
    memmove(p, p + 1, after * sizeof(*p));
    m->npieces--;
    return 0;
}

static bool is_item_before(const void *item, const void *path)
{
    return cut_path_cmp(((const struct cut_item *)item)->path, path) < 0;
}

/* Shards that have gone since their files were retained. */
static int compare_drop_gone(struct making *m, struct err *e)
{
    int r = 0;
    for (size_t i = m->npieces; r == 0 && i-- > 0;) {
        const char *folder = m->pieces[i].folder;
        const size_t k = array_bisect(m->items, m->n, sizeof(*m->items), folder, is_item_before);
        if (k == m->n || strcmp(m->items[k].path, folder) != 0)
            r = compare_drop_piece(m, &m->pieces[i], e);
    }
    return r;
}

/* After the folder of a shard itself. */
static int compare_shard(struct comparing *c, const struct cut_item *item, struct err *e)
{
    struct making *m = c->m;
    struct capture_run run;
    if (!capture_run_at(m->capture, item->i, &run) || run.first != item->i || !run.shard)
        return 0;
    struct cut_piece *p = cut_piece_of(m, item->path);
    if (!run.listed || (p && memcmp(p->digest, run.digest, SHA256_BYTES) == 0))
        return compare_pass(c, item->path, &run, p, e);
    return p ? compare_drop_piece(m, p, e) : 0;
}

/* The path at hand in both, or in one of them. */
static int compare_both(struct comparing *c, const struct cut_entry *old,
                        const struct cut_item *item, struct err *e)
{
    const int d = !old ? 1 : !item ? -1 : cut_path_cmp(old->path, item->path);
    if (d < 0) {
        int r = c->look & CUT_WEIGH ? compare_gone(c->m, old, e) : 0;
        return r < 0 ? r : step(c, e);
    }
    int r = compare_item(c, d == 0 ? old : NULL, item, e);
    c->next++;
    c->has_folder = d == 0;
    if (r == 0)
        r = compare_shard(c, item, e);
    return r < 0 || d > 0 ? r : step(c, e);
}

/* All that lies in a folder of both; "": all. */
static int compare_within(struct comparing *c, const char *folder, struct err *e)
{
    const struct making *m = c->m;
    for (;;) {
        const struct cut_item *item = c->next < m->n ? &m->items[c->next] : NULL;
        const struct cut_entry *old = c->old;
        if (item && !lies_in(item->path, folder))
            item = NULL;
        if (old && !lies_in(old->path, folder))
            old = NULL;
        int r = old || item ? compare_both(c, old, item, e) : 0;
        if (r < 0 || (!old && !item))
            return r;
    }
}

static int compare_begin(struct comparing *c, struct err *e)
{
    const struct making *m = c->m;
    int r = m->first ? cutstream_new(NULL, 0, &c->stream, e)
                     : cuts_open_stream(m->c, m->before.head.serial, false, &c->stream, e);
    c->drafted = m->draft ? cutdraft_at(m->draft) : 0;
    return r;
}

int cut_compare(struct making *m, unsigned look, struct err *e)
{
    struct comparing c = {.m = m, .look = look};
    int r = compare_begin(&c, e);
    if (r == 0)
        r = compare_drop_gone(m, e);
    if (r == 0)
        r = step(&c, e);
    if (r == 0)
        r = compare_within(&c, "", e);
    if (r == 0 && (look & CUT_RETAIN) && compare_take(&c) < 0)
        r = err_sys(e, -ENOMEM, "cut");
    cutstream_free(c.stream);
    return r;
}

static bool is_before(const void *piece, const void *folder)
{
    return cut_path_cmp(((const struct cut_piece *)piece)->folder, folder) < 0;
}

struct cut_piece *cut_piece_of(const struct making *m, const char *folder)
{
    const size_t i = array_bisect(m->pieces, m->npieces, sizeof(*m->pieces), folder, is_before);
    return i < m->npieces && strcmp(m->pieces[i].folder, folder) == 0 ? &m->pieces[i] : NULL;
}

/* A place for the piece of a folder, among the others. */
static struct cut_piece *compare_add_piece(struct making *m, const char *folder)
{
    const char *own = arena_text(&m->names, folder, strlen(folder));
    if (!own || !array_grow(&m->pieces, m->npieces))
        return NULL;
    const size_t i = array_bisect(m->pieces, m->npieces, sizeof(*m->pieces), folder, is_before);
    memmove(&m->pieces[i + 1], &m->pieces[i], (m->npieces - i) * sizeof(*m->pieces));
    m->npieces++;
    m->pieces[i] = (struct cut_piece){.folder = own};
    return &m->pieces[i];
}

/* The files of one folder. c->next is the item of the folder itself. */
static int compare_piece(struct comparing *c, const struct capture_run *run, struct err *e)
{
    struct making *m = c->m;
    const char *folder = m->items[c->next++].path;
    struct cut_piece *p = compare_add_piece(m, folder);
    if (!p)
        return err_sys(e, -ENOMEM, "cut");
    memcpy(p->digest, run->digest, SHA256_BYTES);
    const uint64_t files = m->out->files, bytes = m->out->bytes;
    p->at = cutdraft_at(m->draft);
    p->first = m->pool.next;
    int r = cutstream_seek(c->stream, folder, e);
    if (r == 0)
        r = step(c, e);
    if (r == 0 && c->old && strcmp(c->old->path, folder) == 0)
        r = step(c, e);
    if (r == 0)
        r = compare_within(c, folder, e);
    p->len = cutdraft_at(m->draft) - p->at;
    p->n = m->pool.next - p->first;
    p->files = m->out->files - files;
    p->bytes = m->out->bytes - bytes;
    return r;
}

int cut_compare_pieces(struct making *m, struct err *e)
{
    struct comparing c = {.m = m, .look = CUT_WEIGH | CUT_RETAIN};
    int r = compare_begin(&c, e);
    while (r == 0 && c.next < m->n) {
        const struct cut_item *item = &m->items[c.next];
        struct capture_run run;
        const bool wanted = capture_run_at(m->capture, item->i, &run) && run.first == item->i &&
                            run.shard && run.listed && !cut_piece_of(m, item->path);
        if (wanted)
            r = compare_piece(&c, &run, e);
        else
            c.next++;
    }
    cutstream_free(c.stream);
    return r;
}
