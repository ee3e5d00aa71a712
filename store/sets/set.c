/* SPDX-License-Identifier: MIT */
#include "store/sets/set.h"

#include "store/base/cleanup.h"
#include "store/sets/set_impl.h"

#include <errno.h>
#include <string.h>

static int set_judge(struct set *s, struct err *e)
{
    int r = set_list(s, e);
    if (r == 0)
        r = set_shards(s, e);
    if (r == 0)
        r = set_files(s, e);
    if (r == 0)
        r = set_snapshot(s, e);
    return r == 0 ? set_say(s) : r;
}

int set_open(int folder, const char *name, const struct set_options *o, struct set **out,
             struct err *e)
{
    struct err why = {0};
    cleanup(set_freep) struct set *s = calloc(1, sizeof(*s));
    if (s)
        *s = (struct set){.folder = folder, .title = strdup(name), .o = *o, .stones = -1};
    if (!s || !s->title)
        return err_sys(e, -ENOMEM, "%s", name);
    int r = set_judge(s, &why);
    if (r < 0)
        return why.text[0] ? err_set(e, r, "%s: %s", name, why.text) : err_sys(e, r, "%s", name);
    *out = steal_ptr(&s);
    return 0;
}

void set_free(struct set *s)
{
    if (!s)
        return;
    set_snapshot_free(s);
    manifest_free(s->manifest);
    for (size_t i = 0; i < s->nnotes; i++)
        free(s->notes[i].text);
    for (size_t i = 0; i < s->nfiles; i++)
        free(s->files[i].name);
    for (size_t i = 0; i < s->nruns; i++)
        free(s->runs[i].meta);
    for (size_t i = 0; i < s->narchives; i++) {
        free(s->archives[i].name);
        free(s->archives[i].db);
        free(s->archives[i].rp);
    }
    omissions_clear(&s->left_out);
    cleanup_close(&s->stones);
    free(s->notes);
    free(s->files);
    free(s->runs);
    free(s->archives);
    free(s->meta);
    free(s->title);
    free(s);
}

const struct manifest *set_manifest(const struct set *s)
{
    return s->manifest;
}

const void *set_meta(const struct set *s, size_t *n)
{
    *n = s->nmeta;
    return s->meta;
}

size_t set_notes(const struct set *s)
{
    return s->nnotes;
}

const char *set_note(const struct set *s, size_t i, bool *warns)
{
    *warns = s->notes[i].warns;
    return s->notes[i].text;
}
