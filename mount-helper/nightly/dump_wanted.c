/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/dump_wanted.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MOST UINT16_MAX /* bytes of a series key, and so of a name */

int dump_wanted_open(char *const *words, size_t n, struct dump_wanted *out)
{
    *out = (struct dump_wanted){
        .words = words, .n = n, .seen = calloc(n + 1, sizeof(bool)), .name = malloc(NAME_MOST + 1)};
    return out->seen && out->name ? 0 : -ENOMEM;
}

void dump_wanted_clear(struct dump_wanted *w)
{
    free(w->seen);
    free(w->name);
    w->seen = NULL;
    w->name = NULL;
}

/* A name that is spelled as a pattern is also found by that spelling. */
static bool wanted_matches(const struct dump_wanted *w, const char *word, struct slice name)
{
    if (strlen(word) == name.n && memcmp(word, name.p, name.n) == 0)
        return true;
    if (!strpbrk(word, "*?[\\") || name.n > NAME_MOST)
        return false;
    memcpy(w->name, name.p, name.n);
    w->name[name.n] = 0;
    return fnmatch(word, w->name, 0) == 0;
}

bool dump_wanted_has(const struct dump_wanted *w, struct slice measurement)
{
    bool yes = w->n == 0;
    for (size_t i = 0; !yes && i < w->n; i++)
        yes = wanted_matches(w, w->words[i], measurement);
    return yes;
}

bool dump_wanted_see(struct dump_wanted *w, const struct schema *o)
{
    bool all = true;
    for (size_t i = 0; i < w->n; i++) {
        for (size_t k = 0; !w->seen[i] && k < schema_count(o); k++)
            w->seen[i] = wanted_matches(w, w->words[i], schema_at(o, k)->name);
        all &= w->seen[i];
    }
    return all;
}
