/* SPDX-License-Identifier: MIT */
#include "store/restore/stage_cut.h"

#include "store/base/array.h"
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

int stage_cut(struct stage *s, struct placing *p, const struct cutuse *cut, stage_cut_fn *fn,
              void *arg, struct err *e)
{
    cleanup(cutstream_freep) struct cutstream *from = NULL;
    const struct cut_entry *f;
    int r = cutuse_stream(cut, &from, e);
    while (r == 0 && (r = cutstream_next(from, &f, e)) == 0 && f) {
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

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Manifests are sorted bytewise, cuts by components. */
static int stage_cut_entries(struct cutstream *from, struct manifest *m, struct err *e)
{
    const struct cut_entry *f;
    int r;
    m->lists_folders = true;
    while ((r = cutstream_next(from, &f, e)) == 0 && f) {
        if (!cut_is_folder(f)) {
            m->unlisted++;
            m->bytes += f->attr.size;
            continue;
        }
        char *name = array_grow(&m->folders, m->nfolders) ? strdup(f->path) : NULL;
        if (!name)
            return -ENOMEM;
        m->folders[m->nfolders++] = name;
    }
    if (m->nfolders)
        qsort(m->folders, m->nfolders, sizeof(*m->folders), by_text);
    return r;
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

int stage_cut_manifest(const struct cutuse *cut, struct manifest **out, struct err *e)
{
    struct err why = {0};
    cleanup(cutstream_freep) struct cutstream *from = NULL;
    cleanup(manifest_freep) struct manifest *m = calloc(1, sizeof(*m));
    int r = m ? stage_cut_head(cutuse_head(cut), m) : -ENOMEM;
    if (r == 0)
        r = stage_cut_links(cutuse_list(cut), m);
    if (r == 0)
        r = cutuse_stream(cut, &from, &why);
    if (r == 0)
        r = stage_cut_entries(from, m, &why);
    if (r < 0)
        return why.text[0] ? err_set(e, r, "%s", why.text) : err_sys(e, r, "the cut");
    *out = steal_ptr(&m);
    return 0;
}
