/* SPDX-License-Identifier: MIT */
#include "store/chain/cutstate.h"

#include "store/base/cleanup.h"

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

struct cutstate *cutstate_ref(struct cutstate *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

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

/* Whether a sorted list holds the path. */
static bool holds(const char *const *names, size_t n, const char *path)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int d = cut_path_cmp(names[mid], path);
        if (d == 0)
            return true;
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

static bool is_removed(const struct cutlist *l, const struct cut_entry *e)
{
    return cut_is_folder(e) ? holds(l->removed_folders, l->nremoved_folders, e->path)
                            : holds(l->removed, l->nremoved, e->path);
}

/* What l changes, applied to old: two sorted lists become one. The result has room for both. */
static size_t apply(const struct cut_entry *old, size_t nold, const struct cutlist *l,
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

static int merge(struct cutstate *s)
{
    for (size_t i = 0; i < s->nlists; i++) {
        const struct cutlist *l = s->lists[i];
        struct cut_entry *next = calloc(s->n + l->n + 1, sizeof(*next));
        if (!next)
            return -ENOMEM;
        s->n = apply(s->entries, s->n, l, next);
        free(s->entries);
        s->entries = next;
    }
    return 0;
}

static int check(const struct cutstate *s, struct err *e)
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
    int r = check(s, e);
    if (r < 0)
        return r;
    if ((r = merge(s)) < 0)
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

/* The first entry that is not before path. */
static size_t lower_bound(const struct cutstate *s, const char *path)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cut_path_cmp(s->entries[mid].path, path) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t cutstate_find(const struct cutstate *s, const char *path)
{
    size_t i = lower_bound(s, path);
    return i < s->n && strcmp(s->entries[i].path, path) == 0 ? i : SIZE_MAX;
}

/* The first entry behind all that lies below entry i. */
static size_t skip_below(const struct cutstate *s, size_t i)
{
    const char *path = s->entries[i].path;
    size_t len = strlen(path), lo = i + 1, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const char *p = s->entries[mid].path;
        if (strncmp(p, path, len) == 0 && p[len] == '/')
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool is_child(const char *folder, size_t len, const char *path)
{
    if (len == 0)
        return !strchr(path, '/');
    return strncmp(path, folder, len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/');
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
    size_t len = strlen(folder);
    if (i > 0 && i < s->n && is_child(folder, len, s->entries[i - 1].path))
        i = skip_below(s, i - 1);
    while (i < s->n) {
        const char *path = s->entries[i].path;
        if (is_child(folder, len, path))
            return i;
        if (len && (strncmp(path, folder, len) != 0 || path[len] != '/'))
            return SIZE_MAX;
        i = skip_below(s, i);
    }
    return SIZE_MAX;
}
