/* SPDX-License-Identifier: MIT */
/* A manifest that is kept: as JSON on disk, as a copy in memory. */
#include "store/base/cleanup.h"
#include "store/snapshot/manifest.h"
#include "store/snapshot/manifest_text.h"

#include <errno.h>
#include <string.h>

int manifest_write(const struct manifest *m, char **text, size_t *len)
{
    struct buffer b = {0};
    manifest_text_head(m, &b);
    for (size_t i = 0; i < m->nfiles; i++)
        manifest_text_file(&m->files[i], i == 0, &b);
    manifest_text_tail(m, &b);
    buffer_add(&b, "", 1);
    if (b.failed) {
        buffer_free(&b);
        return -ENOMEM;
    }
    *text = b.p;
    *len = b.n - 1;
    return 0;
}

static int copy_text(const char *from, char **to)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

static int copy_names(char *const *from, size_t n, char ***to, size_t *count)
{
    int r = 0;
    *to = calloc(n + 1, sizeof(**to));
    for (size_t i = 0; *to && r == 0 && i < n; i++) {
        r = copy_text(from[i], &(*to)[i]);
        *count += r == 0;
    }
    return *to ? r : -ENOMEM;
}

static int copy_files(const struct manifest *from, struct manifest *to)
{
    int r = 0;
    to->files = calloc(from->nfiles + 1, sizeof(*to->files));
    for (size_t i = 0; to->files && r == 0 && i < from->nfiles; i++) {
        to->files[i] = from->files[i];
        r = copy_text(from->files[i].name, &to->files[i].name);
        to->nfiles += r == 0;
    }
    return to->files ? r : -ENOMEM;
}

int manifest_copy(const struct manifest *m, struct manifest **out)
{
    cleanup(manifest_freep) struct manifest *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->kind = m->kind;
    c->number = m->number;
    c->index = m->index;
    c->skew_ns = m->skew_ns;
    c->bytes = m->bytes;
    c->lists_folders = m->lists_folders;
    if (copy_text(m->id, &c->id) < 0 || copy_text(m->chain, &c->chain) < 0 ||
        copy_text(m->parent, &c->parent) < 0 || copy_text(m->host, &c->host) < 0 ||
        copy_text(m->created, &c->created) < 0 || copy_text(m->wall, &c->wall) < 0 ||
        copy_files(m, c) < 0 ||
        copy_names(m->removed, m->nremoved, &c->removed, &c->nremoved) < 0 ||
        copy_names(m->removed_folders, m->nremoved_folders, &c->removed_folders,
                   &c->nremoved_folders) < 0 ||
        copy_names(m->folders, m->nfolders, &c->folders, &c->nfolders) < 0 ||
        copy_names(m->links, m->nlinks, &c->links, &c->nlinks) < 0 ||
        omissions_copy(&m->left_out, &c->left_out) < 0)
        return -ENOMEM;
    *out = steal_ptr(&c);
    return 0;
}
