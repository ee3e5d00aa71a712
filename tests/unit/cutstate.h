/* SPDX-License-Identifier: MIT */
/* The whole store at a cut in memory: the base with the numbers up to that cut applied. What streams of
 * cuts are compared with. */
#ifndef INFLUXFS_TESTS_UNIT_CUTSTATE_H
#define INFLUXFS_TESTS_UNIT_CUTSTATE_H

#include "store/base/cleanup.h"
#include "store/chain/cutlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cutstate {
    struct cutlist **lists; /* memory of the strings */
    size_t nlists;
    struct cut_head head;
    struct cut_entry *entries; /* sorted by cut_path_cmp */
    size_t n;
};

static inline void cutstate_free(struct cutstate *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->nlists; i++)
        cutlist_free(s->lists[i]);
    free(s->lists);
    free(s->entries);
    free(s);
}

static inline void cutstate_freep(struct cutstate **s)
{
    cutstate_free(*s);
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

/* Takes over lists[0..n), also on failure. -EBADMSG: they do not fit together. */
static int cutstate_build(struct cutlist **lists, size_t n, struct cutstate **out, struct err *e)
{
    cleanup(cutstate_freep) struct cutstate *s = calloc(1, sizeof(*s));
    struct cutlist **own = calloc(n, sizeof(struct cutlist *));
    if (!s || !own) {
        for (size_t i = 0; i < n; i++)
            cutlist_free(lists[i]);
        free(own);
        return err_sys(e, -ENOMEM, "cuts");
    }
    memcpy(own, lists, n * sizeof(struct cutlist *));
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

static inline const struct cut_head *cutstate_head(const struct cutstate *s)
{
    return &s->head;
}

static inline const struct cut_entry *cutstate_entries(const struct cutstate *s, size_t *n)
{
    *n = s->n;
    return s->entries;
}

static inline const struct cutlist *cutstate_newest(const struct cutstate *s)
{
    return s->lists[s->nlists - 1];
}

#endif
