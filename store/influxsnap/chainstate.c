/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/chainstate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum what { GONE, FILE_HELD, FOLDER_HELD };

/* What one snapshot says of one name. */
struct event {
    const char *name;
    size_t rank; /* of the snapshot in the chain: the last word counts */
    enum what what;
    const struct manifest_file *file;
};

struct telling {
    struct event *events;
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    int d = strcmp(x->name, y->name);
    return d ? d : (x->rank > y->rank) - (x->rank < y->rank);
}

static void add(struct telling *t, const char *name, size_t rank, enum what what,
                const struct manifest_file *file)
{
    t->events[t->n++] = (struct event){name, rank, what, file};
}

static void add_names(struct telling *t, char *const *names, size_t n, size_t rank, enum what what)
{
    for (size_t i = 0; i < n; i++)
        add(t, names[i], rank, what, NULL);
}

static void chainstate_hear(struct telling *t, const struct manifest *m, size_t rank)
{
    add_names(t, m->removed, m->nremoved, rank, GONE);
    add_names(t, m->removed_folders, m->nremoved_folders, rank, GONE);
    add_names(t, m->folders, m->nfolders, rank, FOLDER_HELD);
    for (size_t i = 0; i < m->nfiles; i++)
        add(t, m->files[i].name, rank, FILE_HELD, &m->files[i]);
}

int chainstate_read(const struct manifest *const chain[], size_t n, struct chainstate *out)
{
    size_t most = 0;
    struct telling t = {0};
    for (size_t k = 0; k < n; k++)
        most +=
            chain[k]->nfiles + chain[k]->nfolders + chain[k]->nremoved + chain[k]->nremoved_folders;
    t.events = calloc(most + 1, sizeof(*t.events));
    *out = (struct chainstate){.at = calloc(most + 1, sizeof(*out->at))};
    if (!t.events || !out->at) {
        free(t.events);
        chainstate_clear(out);
        return -ENOMEM;
    }
    for (size_t k = 0; k < n; k++)
        chainstate_hear(&t, chain[k], k);
    if (t.n)
        qsort(t.events, t.n, sizeof(*t.events), by_name);
    for (size_t i = 0; i < t.n; i++) {
        const struct event *v = &t.events[i];
        bool last = i + 1 == t.n || strcmp(v->name, v[1].name) != 0;
        if (last && v->what != GONE)
            out->at[out->n++] = (struct chainstate_name){v->name, v->file};
    }
    free(t.events);
    return 0;
}

void chainstate_clear(struct chainstate *s)
{
    free(s->at);
    *s = (struct chainstate){0};
}

/* Of one name: what it was and what it is now; NULL: nothing. */
static int chainstate_see(struct loss *l, const struct chainstate_name *was,
                          const struct chainstate_name *now)
{
    const struct chainstate_name *either = was ? was : now;
    struct file_attr before = {0}, after = {0};
    if (!either->file)
        return 0;
    if (was)
        before.size = was->file->size;
    if (now && now->file)
        after.size = now->file->size;
    return loss_see(l, either->name, was ? &before : NULL, now && now->file ? &after : NULL);
}

int chainstate_lost(const struct chainstate *was, const struct chainstate *now,
                    struct cut_lost *out)
{
    struct loss *l = loss_new();
    int r = l ? 0 : -ENOMEM;
    for (size_t i = 0, k = 0; r == 0 && (i < was->n || k < now->n);) {
        int d = i == was->n ? 1 : k == now->n ? -1 : strcmp(was->at[i].name, now->at[k].name);
        r = chainstate_see(l, d <= 0 ? &was->at[i] : NULL, d >= 0 ? &now->at[k] : NULL);
        i += d <= 0;
        k += d >= 0;
    }
    if (r == 0)
        r = loss_sum(l, out);
    loss_free(l);
    return r;
}
