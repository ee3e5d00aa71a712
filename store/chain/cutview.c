/* SPDX-License-Identifier: MIT */
#include "store/chain/cutview.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/chain/cutpages.h"
#include "store/chain/cutuse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cutview {
    struct cutuse *use;
    struct cutpages *pages;
};

void cutview_close(struct cutview *v)
{
    if (!v)
        return;
    cutpages_free(v->pages);
    cutuse_end(v->use);
    free(v);
}

int cutview_open(struct cuts *c, uint64_t serial, struct cutview **out, struct err *e)
{
    cleanup(cutview_closep) struct cutview *v = calloc(1, sizeof(*v));
    if (!v)
        return err_sys(e, -ENOMEM, "cuts");
    int r = cutuse_begin(c, serial, &v->use, e);
    if (r == 0)
        r = cutpages_of(v->use, false, &v->pages, e);
    if (r == 0)
        *out = steal_ptr(&v);
    return r;
}

const struct cut_head *cutview_head(const struct cutview *v)
{
    return cutuse_head(v->use);
}

int cutview_find(struct cutview *v, const char *path, cutview_fn *fn, void *ctx, struct err *e)
{
    cleanup(cutpage_putp) struct cutpage *page = NULL;
    size_t i;
    int r = cutpages_at(v->pages, path, &i, e);
    if (r == 0 && i == cutpages_count(v->pages))
        return -ENOENT;
    if (r == 0)
        r = cutpages_get(v->pages, i, &page, e);
    if (r < 0)
        return r;
    const struct cut_entry *entry = cutpage_entry(page, i);
    return strcmp(entry->path, path) == 0 ? fn(ctx, i, entry) : -ENOENT;
}

/* Entry i, if it is in the folder, and where to go on. 1: there are no more. */
static int cutview_step(struct cutview *v, const char *folder, size_t *i, cutview_fn *fn, void *ctx,
                        struct err *e)
{
    cleanup(cutpage_putp) struct cutpage *page = NULL;
    const size_t here = *i;
    if (here == cutpages_count(v->pages))
        return 1;
    int r = cutpages_get(v->pages, here, &page, e);
    if (r < 0)
        return r;
    const struct cut_entry *entry = cutpage_entry(page, here);
    const char *rest = path_below(entry->path, folder);
    if (!rest)
        return 1;
    ++*i;
    if (cut_is_folder(entry))
        r = cutpages_after(v->pages, entry->path, i, e);
    if (r < 0 || strchr(rest, '/')) /* its own folder is not in the manifests */
        return r;
    return fn(ctx, here, entry);
}

/* A folder comes before what is in it. */
int cutview_list(struct cutview *v, const char *folder, cutview_fn *fn, void *ctx, struct err *e)
{
    size_t i = 0;
    int r = *folder ? cutpages_at(v->pages, folder, &i, e) : 0;
    if (r == 0 && *folder)
        i++;
    while (r == 0)
        r = cutview_step(v, folder, &i, fn, ctx, e);
    return r == 1 ? 0 : r;
}

void cutview_rest(struct cutview *v)
{
    cutpages_rest(v->pages);
}
