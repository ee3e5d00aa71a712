/* SPDX-License-Identifier: MIT */
#include "store/restore/chain_order.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

bool chain_order_stale(const struct manifest *number, const struct manifest *held)
{
    return held && (same(number->id, held->id) ||
                    (same(number->chain, held->chain) && number->number <= held->number));
}

enum verdict chain_order_judge(const struct manifest *number, const struct manifest *held,
                               bool moved_on)
{
    if (!held)
        return VERDICT_WAITS;
    if (same(number->id, held->id))
        return VERDICT_ALREADY;
    if (chain_order_stale(number, held))
        return VERDICT_SUPERSEDED;
    if (same(number->parent, held->id))
        return moved_on ? VERDICT_MOVED_ON : VERDICT_APPLY;
    return same(number->chain, held->chain) && number->number == held->number + 1
               ? VERDICT_WRONG_PARENT
               : VERDICT_WAITS;
}

size_t chain_order_next(const struct manifest *const numbers[], size_t n, const struct manifest *at)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (!same(numbers[i]->parent, at->id) || same(numbers[i]->id, at->id))
            continue;
        if (found == SIZE_MAX || same(numbers[i]->chain, at->chain))
            found = i;
    }
    return found;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool listed(const char *name, char *const *names, size_t n)
{
    return n && bsearch(&name, names, n, sizeof(*names), by_text);
}

/* Every name that is to go must be there, once, and not come back at the same time. */
static int check_removed(const struct manifest *state, const struct manifest *number, struct err *e)
{
    for (size_t i = 0; i < number->nremoved; i++) {
        const char *name = number->removed[i];
        if (!manifest_find(state, name) || manifest_find(number, name) ||
            (i && strcmp(number->removed[i - 1], name) == 0))
            return err_set(e, -EBADMSG,
                           "number %" PRId64 " does not fit snapshot %s: it removes %s, which is "
                           "not there or comes anew",
                           number->number, state->id, name);
    }
    return 0;
}

/* No file in the place of a folder, or in one that is gone. */
static int check_tree(const struct manifest *state, const struct manifest *number, struct err *e)
{
    char folder[PATH_MAX];
    for (size_t i = 0; i < state->nfiles; i++) {
        strcpy(folder, state->files[i].name);
        for (char *slash; (slash = strrchr(folder, '/'));) {
            *slash = 0;
            if (manifest_find(state, folder) ||
                listed(folder, number->removed_folders, number->nremoved_folders))
                return err_set(e, -EBADMSG,
                               "number %" PRId64 " does not fit snapshot %s: %s would lie in %s, "
                               "which is no folder then",
                               number->number, number->parent, state->files[i].name, folder);
        }
    }
    if (!manifest_find(state, "meta/meta.db"))
        return err_set(e, -EBADMSG, "number %" PRId64 " takes away meta/meta.db", number->number);
    return 0;
}

/* Both lists are sorted, and so is what they become. */
static int merge_files(struct manifest *state, const struct manifest *number)
{
    size_t i = 0, k = 0, n = 0;
    uint64_t bytes = 0;
    struct manifest_file *out = calloc(state->nfiles + number->nfiles + 1, sizeof(*out));
    if (!out)
        return -ENOMEM;
    while (i < state->nfiles || k < number->nfiles) {
        struct manifest_file *old = i < state->nfiles ? &state->files[i] : NULL;
        const struct manifest_file *fresh = k < number->nfiles ? &number->files[k] : NULL;
        int c = !old ? 1 : !fresh ? -1 : strcmp(old->name, fresh->name);
        if (c < 0 && !listed(old->name, number->removed, number->nremoved)) {
            out[n] = *old;
            old->name = NULL;
        } else if (c >= 0) {
            out[n] = *fresh;
            out[n].name = strdup(fresh->name);
        }
        i += c <= 0;
        k += c >= 0;
        if (c >= 0 && !out[n].name)
            break;
        bytes += out[n].name ? out[n].size : 0;
        n += out[n].name != NULL;
    }
    bool short_of = i < state->nfiles || k < number->nfiles;
    for (size_t j = 0; j < state->nfiles; j++)
        free(state->files[j].name);
    free(state->files);
    state->files = out;
    state->nfiles = n;
    state->bytes = bytes;
    return short_of ? -ENOMEM : 0;
}

static int set(char **to, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return -ENOMEM;
    free(*to);
    *to = copy;
    return 0;
}

int chain_order_apply(struct manifest *state, const struct manifest *number, struct err *e)
{
    int r = check_removed(state, number, e);
    if (r < 0)
        return r;
    if (merge_files(state, number) < 0)
        return err_sys(e, -ENOMEM, "number %" PRId64, number->number);
    if ((r = check_tree(state, number, e)) < 0)
        return r;
    if (set(&state->id, number->id) < 0 || set(&state->chain, number->chain) < 0 ||
        set(&state->parent, NULL) < 0 || set(&state->created, number->created) < 0 ||
        set(&state->wall, number->wall) < 0 || set(&state->host, number->host) < 0)
        return err_sys(e, -ENOMEM, "number %" PRId64, number->number);
    state->kind = MANIFEST_FULL;
    state->number = number->number;
    state->index = number->index;
    state->skew_ns = number->skew_ns;
    return 0;
}

void chain_order_waits_for(const struct manifest *const numbers[], size_t n, size_t i,
                           const struct manifest *held, struct err *words)
{
    /* Down to the first of those that are here: a circle of parents is no longer than their list.
     */
    for (size_t steps = 0; steps < n; steps++) {
        size_t below = 0;
        while (below < n && !same(numbers[below]->id, numbers[i]->parent))
            below++;
        if (below == n)
            break;
        i = below;
    }
    const struct manifest *first = numbers[i];
    if (held && same(first->parent, held->id))
        err_set(words, 0, "the restore that is under way, or the next one");
    else if (held && same(first->chain, held->chain) && first->number > held->number + 1)
        err_set(words, 0, "number %" PRId64 " is missing", first->number - 1);
    else if (first->number > 0)
        err_set(words, 0,
                "the base.tar of its chain, and number %" PRId64 " unless base.tar holds that",
                first->number - 1);
    else
        err_set(words, 0, "the base.tar of its chain");
}
