/* SPDX-License-Identifier: MIT */
#include "store/restore/chain_order.h"

#include "store/base/cleanup.h"
#include "store/influx/names.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

bool chain_order_stale(const struct manifest *increment, const struct manifest *present)
{
    return present &&
           (same(increment->id, present->id) ||
            (same(increment->chain, present->chain) && increment->number <= present->number));
}

enum verdict chain_order_judge(const struct manifest *increment, const struct manifest *present,
                               bool moved_on)
{
    if (!present)
        return VERDICT_WAITS;
    if (same(increment->id, present->id))
        return VERDICT_ALREADY;
    if (chain_order_stale(increment, present))
        return VERDICT_SUPERSEDED;
    if (same(increment->parent, present->id))
        return moved_on ? VERDICT_MOVED_ON : VERDICT_APPLY;
    return same(increment->chain, present->chain) && increment->number == present->number + 1
               ? VERDICT_WRONG_PARENT
               : VERDICT_WAITS;
}

size_t chain_order_next(const struct manifest *const increments[], size_t n,
                        const struct manifest *at)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (!same(increments[i]->parent, at->id) || same(increments[i]->id, at->id))
            continue;
        if (found == SIZE_MAX || same(increments[i]->chain, at->chain))
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

bool chain_order_changes(const struct manifest *increment, const char *name)
{
    return manifest_find(increment, name) || listed(name, increment->removed, increment->nremoved);
}

/* Each removed name must exist, once, and not be added at the same time. */
static int chain_check_removed(const struct manifest *state, const struct manifest *increment,
                               struct err *e)
{
    for (size_t i = 0; i < increment->nremoved; i++) {
        const char *name = increment->removed[i];
        if (!manifest_find(state, name) || manifest_find(increment, name) ||
            (i && strcmp(increment->removed[i - 1], name) == 0))
            return err_set(e, -EBADMSG,
                           "number %" PRId64 " does not fit snapshot %s: it removes %s, which is "
                           "not there or comes anew",
                           increment->number, state->id, name);
    }
    return 0;
}

/* No file may replace a folder, or lie in a removed one. */
static int chain_check_tree(const struct manifest *state, const struct manifest *increment,
                            struct err *e)
{
    char folder[PATH_MAX];
    for (size_t i = 0; i < state->nfiles; i++) {
        strcpy(folder, state->files[i].name);
        for (char *slash; (slash = strrchr(folder, '/'));) {
            *slash = 0;
            if (manifest_find(state, folder) ||
                listed(folder, increment->removed_folders, increment->nremoved_folders))
                return err_set(e, -EBADMSG,
                               "number %" PRId64 " does not fit snapshot %s: %s would lie in %s, "
                               "which is no folder then",
                               increment->number, increment->parent, state->files[i].name, folder);
        }
    }
    if (!manifest_find(state, NAME_META_MEMBER))
        return err_set(e, -EBADMSG, "number %" PRId64 " takes away meta/meta.db",
                       increment->number);
    return 0;
}

/* Both lists are sorted, and so is the result. */
static int chain_merge_files(struct manifest *state, const struct manifest *increment)
{
    size_t i = 0, k = 0, n = 0;
    uint64_t bytes = 0;
    struct manifest_file *out = calloc(state->nfiles + increment->nfiles + 1, sizeof(*out));
    if (!out)
        return -ENOMEM;
    while (i < state->nfiles || k < increment->nfiles) {
        struct manifest_file *old = i < state->nfiles ? &state->files[i] : NULL;
        const struct manifest_file *fresh = k < increment->nfiles ? &increment->files[k] : NULL;
        int c = !old ? 1 : !fresh ? -1 : strcmp(old->name, fresh->name);
        if (c < 0 && !listed(old->name, increment->removed, increment->nremoved)) {
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
    bool short_of = i < state->nfiles || k < increment->nfiles;
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

int chain_order_apply(struct manifest *state, const struct manifest *increment, struct err *e)
{
    int r = chain_check_removed(state, increment, e);
    if (r < 0)
        return r;
    if (chain_merge_files(state, increment) < 0)
        return err_sys(e, -ENOMEM, "number %" PRId64, increment->number);
    if ((r = chain_check_tree(state, increment, e)) < 0)
        return r;
    if (set(&state->id, increment->id) < 0 || set(&state->chain, increment->chain) < 0 ||
        set(&state->parent, NULL) < 0 || set(&state->created, increment->created) < 0 ||
        set(&state->wall, increment->wall) < 0 || set(&state->host, increment->host) < 0)
        return err_sys(e, -ENOMEM, "number %" PRId64, increment->number);
    state->kind = state->selection ? MANIFEST_DATABASE : MANIFEST_FULL;
    state->number = increment->number;
    state->index = increment->index;
    state->skew_ns = increment->skew_ns;
    return 0;
}

void chain_order_waits_for(const struct manifest *const increments[], size_t n, size_t i,
                           const struct manifest *present, struct err *message)
{
    /* Goes down to the first one present. A circle of parents ends after n steps. */
    for (size_t steps = 0; steps < n; steps++) {
        size_t below = 0;
        while (below < n && !same(increments[below]->id, increments[i]->parent))
            below++;
        if (below == n)
            break;
        i = below;
    }
    const struct manifest *first = increments[i];
    if (present && same(first->parent, present->id))
        err_set(message, 0, "the restore that is under way, or the next one");
    else if (present && same(first->chain, present->chain) && first->number > present->number + 1)
        err_set(message, 0, "number %" PRId64 " is missing", first->number - 1);
    else if (first->number > 0)
        err_set(message, 0,
                "the base.tar of its chain, and number %" PRId64 " unless base.tar holds that",
                first->number - 1);
    else
        err_set(message, 0, "the base.tar of its chain");
}
