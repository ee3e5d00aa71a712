/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/chaintext.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <string.h>

int chaintext_write(const struct tarset *chain, struct buffer *out, struct err *e)
{
    for (size_t i = 0; i < chain->n; i++) {
        autofree char *text = NULL;
        size_t n;
        if (chain->at[i].superseded)
            continue;
        int r = manifest_write(chain->at[i].m, &text, &n);
        if (r < 0)
            return err_sys(e, r, "%s", chain->at[i].path);
        buffer_add(out, text, n);
    }
    return out->failed ? err_sys(e, -ENOMEM, "manifests") : 0;
}

struct manifests {
    struct tarset_given *at;
    size_t n;
};

static void free_manifests(struct manifests *m)
{
    for (size_t i = 0; i < m->n; i++)
        manifest_free(m->at[i].m);
    free(m->at);
}

static int chaintext_read_one(const char *text, size_t n, struct manifests *all, struct err *e)
{
    struct err why = {0};
    if (!array_grow(&all->at, all->n))
        return err_sys(e, -ENOMEM, "manifests");
    struct tarset_given *given = &all->at[all->n];
    *given = (struct tarset_given){0};
    int r = manifest_parse(text, n, &given->m, &why);
    if (r < 0)
        return err_set(e, r, "manifest %zu: %s", all->n + 1, why.text);
    all->n++;
    if (!given->m->lists_folders)
        return err_set(e, -EINVAL, "manifest %zu is of no chain: it lists no folders", all->n);
    return 0;
}

int chaintext_read(const char *text, size_t n, struct tarset *out, struct err *e)
{
    cleanup(free_manifests) struct manifests all = {0};
    for (size_t at = 0; at < n;) {
        if (strchr(" \t\r\n", text[at]) && text[at]) {
            at++;
            continue;
        }
        size_t len = manifest_length(text + at, n - at);
        if (!len)
            return err_set(e, -EINVAL, "manifest %zu is not whole, or not JSON", all.n + 1);
        int r = chaintext_read_one(text + at, len, &all, e);
        if (r < 0)
            return r;
        at += len;
    }
    if (all.n == 0)
        return err_set(e, -EINVAL, "the body holds no manifest");
    struct tarset set = {0};
    int r = tarset_of(all.at, all.n, &set, e);
    all.n = 0;
    if (r == 0)
        r = tarset_one_chain(&set, e);
    if (r == 0 && set.at[0].m->selection)
        r = err_set(e, -EINVAL,
                    "the chain is of a part of a store, and only whole stores are served");
    if (r < 0)
        tarset_clear(&set);
    else
        *out = set;
    return r;
}
