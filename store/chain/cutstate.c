/* SPDX-License-Identifier: MIT */
#include "store/chain/cutstate.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct cutstate {
    atomic_uint refs;
    struct cutlist **lists; /* memory of the strings */
    size_t nlists;
    struct cut_head head;
    struct cut_entry *entries;
    size_t n;
};

void cutstate_unref(struct cutstate *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    for (size_t i = 0; i < s->nlists; i++)
        cutlist_free(s->lists[i]);
    free(s->lists);
    free(s->entries);
    free(s);
}

static int by_name(const void *a, const void *b)
{
    return cut_path_cmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whether a sorted list holds the path. */
static bool holds(const char *const *names, size_t n, const char *path)
{
    return n > 0 && bsearch(&path, names, n, sizeof(*names), by_name);
}

static bool is_removed(const struct cutlist *l, const struct cut_entry *e)
{
    return cut_is_folder(e) ? holds(l->removed_folders, l->nremoved_folders, e->path)
                            : holds(l->removed, l->nremoved, e->path);
}

/* Merges the changes of l into old, both sorted. The result has room for both. */
static size_t cutstate_apply(const struct cut_entry *old, size_t nold, const struct cutlist *l,
                             struct cut_entry *out)
{
    size_t i = 0, k = 0, n = 0;
    while (i < nold || k < l->n) {
        int d = i == nold ? 1 : k == l->n ? -1 : cut_path_cmp(old[i].path, l->entries[k].path);
        if (d >= 0) {
            out[n++] = l->entries[k++];
            i += d == 0;
        } else if (!is_removed(l, &old[i])) {
            out[n++] = old[i++];
        } else {
            i++;
        }
    }
    return n;
}

static int cutstate_merge(struct cutstate *s)
{
    for (size_t i = 0; i < s->nlists; i++) {
        const struct cutlist *l = s->lists[i];
        struct cut_entry *next = calloc(s->n + l->n + 1, sizeof(*next));
        if (!next)
            return -ENOMEM;
        s->n = cutstate_apply(s->entries, s->n, l, next);
        free(s->entries);
        s->entries = next;
    }
    return 0;
}

static int cutstate_check(const struct cutstate *s, struct err *e)
{
    for (size_t i = 0; i < s->nlists; i++) {
        const struct cut_head *h = &s->lists[i]->head;
        const char *before = i ? s->lists[i - 1]->head.id : "";
        if (strcmp(h->parent, before) != 0)
            return err_set(e, -EBADMSG,
                           "the chain of cuts is broken: number %lld builds on state %s, and what "
                           "comes before it is %s",
                           (long long)h->number, h->parent, *before ? before : "nothing");
    }
    return 0;
}

int cutstate_build(struct cutlist **lists, size_t n, struct cutstate **out, struct err *e)
{
    cleanup(cutstate_unrefp) struct cutstate *s = calloc(1, sizeof(*s));
    struct cutlist **own = calloc(n, sizeof(struct cutlist *));
    if (!s || !own) {
        for (size_t i = 0; i < n; i++)
            cutlist_free(lists[i]);
        free(own);
        return err_sys(e, -ENOMEM, "cuts");
    }
    memcpy(own, lists, n * sizeof(struct cutlist *));
    atomic_init(&s->refs, 1);
    s->lists = own;
    s->nlists = n;
    int r = cutstate_check(s, e);
    if (r < 0)
        return r;
    if ((r = cutstate_merge(s)) < 0)
        return err_sys(e, r, "cuts");
    s->head = lists[n - 1]->head;
    s->head.parent[0] = 0;
    s->head.lost = (struct cut_lost){0};
    s->head.guard = CUT_GUARD_FINE;
    *out = steal_ptr(&s);
    return 0;
}

const struct cut_head *cutstate_head(const struct cutstate *s)
{
    return &s->head;
}

const struct cut_entry *cutstate_entries(const struct cutstate *s, size_t *n)
{
    *n = s->n;
    return s->entries;
}

const struct cutlist *cutstate_newest(const struct cutstate *s)
{
    return s->lists[s->nlists - 1];
}

static bool is_before(const void *entry, const void *path)
{
    return cut_path_cmp(((const struct cut_entry *)entry)->path, path) < 0;
}

size_t cutstate_find(const struct cutstate *s, const char *path)
{
    size_t i = array_bisect(s->entries, s->n, sizeof(*s->entries), path, is_before);
    return i < s->n && strcmp(s->entries[i].path, path) == 0 ? i : SIZE_MAX;
}

static bool is_below(const void *entry, const void *folder)
{
    const char *rest = path_below(((const struct cut_entry *)entry)->path, folder);
    return rest && *rest;
}

/* The first entry after all that lies below entry i. */
static size_t skip_below(const struct cutstate *s, size_t i)
{
    return i + 1 +
           array_bisect(&s->entries[i + 1], s->n - i - 1, sizeof(*s->entries), s->entries[i].path,
                        is_below);
}

static bool is_child(const char *folder, const char *path)
{
    const char *rest = path_below(path, folder);
    return rest && *rest && !strchr(rest, '/');
}

size_t cutstate_first_child(const struct cutstate *s, const char *folder)
{
    if (!*folder)
        return cutstate_next_child(s, folder, 0);
    size_t i = cutstate_find(s, folder);
    return i == SIZE_MAX ? SIZE_MAX : cutstate_next_child(s, folder, i + 1);
}

size_t cutstate_next_child(const struct cutstate *s, const char *folder, size_t i)
{
    if (i > 0 && i < s->n && is_child(folder, s->entries[i - 1].path))
        i = skip_below(s, i - 1);
    while (i < s->n && path_below(s->entries[i].path, folder)) {
        if (is_child(folder, s->entries[i].path))
            return i;
        i = skip_below(s, i);
    }
    return SIZE_MAX;
}
