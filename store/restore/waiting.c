/* SPDX-License-Identifier: MIT */
#include "store/restore/waiting.h"

#include "store/base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void waiting_clear(struct waiting *w)
{
    free(w->name);
    free(w->id);
    free(w->parent);
    free(w->waits_for);
}

int waiting_add(struct waiting_list *list, const char *name, const struct manifest *m,
                const char *waits_for)
{
    struct waiting w = {strdup(name), m->number, strdup(m->id), strdup(m->parent),
                        strdup(waits_for)};
    if (!w.name || !w.id || !w.parent || !w.waits_for || !array_grow(&list->at, list->n)) {
        waiting_clear(&w);
        return -ENOMEM;
    }
    list->at[list->n++] = w;
    return 0;
}

int waiting_copy(const struct waiting_list *list, struct waiting_list *out)
{
    struct waiting_list copy = {0};
    for (size_t i = 0; i < list->n; i++) {
        const struct waiting *w = &list->at[i];
        const struct manifest m = {.number = w->number, .id = w->id, .parent = w->parent};
        if (waiting_add(&copy, w->name, &m, w->waits_for) < 0) {
            waiting_free(&copy);
            return -ENOMEM;
        }
    }
    *out = copy;
    return 0;
}

void waiting_free(struct waiting_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        waiting_clear(&list->at[i]);
    free(list->at);
    *list = (struct waiting_list){0};
}
