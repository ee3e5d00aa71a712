/* SPDX-License-Identifier: MIT */
#include "store/restore/stage_cut.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/restore/stage_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct file_attr stage_cut_attr(const struct cut_entry *f, uid_t uid, gid_t gid)
{
    struct file_attr as = f->attr;
    as.mode &= S_IFMT | 0777;
    as.uid = uid;
    as.gid = gid;
    return as;
}

static int stage_cut_file(struct stage *s, struct placing *p, const struct cut_entry *f,
                          bool *linked, struct err *e)
{
    const char *path;
    const enum target_kind kind = target_kind_of(f->path, &path);
    const struct file_attr as = stage_cut_attr(f, s->uid[kind], s->gid[kind]);
    int r = stage_parent(s, f->path);
    return r < 0 ? err_sys(e, r, "staging %s", f->path)
                 : placing_put(p, f, &as, s->parent, path_last(f->path), linked, e);
}

int stage_cut(struct stage *s, struct placing *p, const struct cutstate *state, stage_cut_fn *fn,
              void *arg, struct err *e)
{
    size_t n;
    const struct cut_entry *entries = cutstate_entries(state, &n);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct cut_entry *f = &entries[i];
        bool linked = false;
        if (cut_is_folder(f)) {
            r = stage_folder(s, f->path, f->attr.mode, f->attr.mtime_ns, e);
            continue;
        }
        r = stage_cut_file(s, p, f, &linked, e);
        if (r == 0)
            r = fn(arg, f->path, f->attr.size, linked, e);
    }
    return r;
}

/* The manifest */

static int stage_cut_head(const struct cut_head *h, struct manifest *m)
{
    char created[TIME_TEXT], wall[TIME_TEXT];
    time_exact_text(h->created_ns, created);
    time_exact_text(h->wall_ns, wall);
    m->kind = MANIFEST_FULL;
    m->number = h->number;
    m->index = h->index;
    m->skew_ns = h->skew_ns;
    m->id = strdup(h->id);
    m->chain = strdup(h->chain);
    m->host = strdup(h->host);
    m->created = strdup(created);
    m->wall = h->wall_ns == h->created_ns ? NULL : strdup(wall);
    return m->id && m->chain && m->host && m->created && (m->wall || h->wall_ns == h->created_ns)
               ? 0
               : -ENOMEM;
}

static int by_file_name(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->name, ((const struct manifest_file *)b)->name);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Manifests are sorted bytewise, cuts by components. */
static int stage_cut_entries(const struct cut_entry *entries, size_t n, struct manifest *m)
{
    m->files = calloc(n + 1, sizeof(*m->files));
    m->folders = calloc(n + 1, sizeof(*m->folders));
    m->lists_folders = true;
    if (!m->files || !m->folders)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct cut_entry *f = &entries[i];
        char *name = strdup(f->path);
        if (!name)
            return -ENOMEM;
        if (cut_is_folder(f)) {
            m->folders[m->nfolders++] = name;
            continue;
        }
        m->files[m->nfiles++] = (struct manifest_file){
            .name = name, .size = f->attr.size, .index = f->index, .mtime_ns = f->attr.mtime_ns};
        m->bytes += f->attr.size;
    }
    qsort(m->files, m->nfiles, sizeof(*m->files), by_file_name);
    qsort(m->folders, m->nfolders, sizeof(*m->folders), by_text);
    return 0;
}

static int stage_cut_links(const struct cutlist *l, struct manifest *m)
{
    m->links = calloc(l->nlinks + 1, sizeof(*m->links));
    for (size_t i = 0; m->links && i < l->nlinks; i++) {
        m->links[m->nlinks] = strdup(l->links[i]);
        if (!m->links[m->nlinks++])
            return -ENOMEM;
    }
    return m->links ? omissions_copy(&l->left_out, &m->left_out) : -ENOMEM;
}

int stage_cut_manifest(const struct cutstate *state, struct manifest **out)
{
    size_t n;
    const struct cut_entry *entries = cutstate_entries(state, &n);
    cleanup(manifest_freep) struct manifest *m = calloc(1, sizeof(*m));
    int r = m ? stage_cut_head(cutstate_head(state), m) : -ENOMEM;
    if (r == 0)
        r = stage_cut_entries(entries, n, m);
    if (r == 0)
        r = stage_cut_links(cutstate_newest(state), m);
    if (r == 0)
        *out = steal_ptr(&m);
    return r;
}
