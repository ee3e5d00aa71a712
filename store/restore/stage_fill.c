/* SPDX-License-Identifier: MIT */
#include "store/restore/stage_fill.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/restore/store_walk.h"

#include <errno.h>
#include <string.h>

struct fill {
    struct stage *stage;
    struct err *e;
};

static int fill_folder(void *arg, const char *name, const struct stat *st)
{
    const struct fill *f = arg;
    if (!S_ISDIR(st->st_mode))
        return 0;
    return stage_folder(f->stage, name, st->st_mode & 0777, time_from_spec(&st->st_mtim), f->e);
}

static int compare_names(const void *key, const void *item)
{
    return strcmp(key, *(char *const *)item);
}

static bool changes(const struct manifest *m, const char *name)
{
    return manifest_find(m, name) || (m->nremoved && bsearch(name, m->removed, m->nremoved,
                                                             sizeof(*m->removed), compare_names));
}

static bool outlives(const char *name, const struct increment *const run[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (changes(run[i]->m, name))
            return false;
    return true;
}

int stage_fill_from_store(struct stage *s, const struct targets *t, const struct manifest *base,
                          const struct increment *const run[], size_t n, struct err *e)
{
    int fds[TARGETS];
    struct err why = {0};
    struct fill f = {s, &why};
    int r = targets_open_store(t, fds, e);
    if (r < 0)
        return r;
    r = store_walk(fds, fill_folder, &f);
    if (r < 0)
        err_set(e, r, "%s", why.text[0] ? why.text : "the store's folders cannot be read");
    for (size_t i = 0; r == 0 && i < base->nfiles; i++)
        if (outlives(base->files[i].name, run, n))
            r = stage_reuse(s, base->files[i].name, fds, e);
    targets_close(fds);
    return r;
}

static int fill_from_increment(struct stage *s, const struct increment *n, const int from[TARGETS],
                               struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n->m->nremoved; i++)
        r = stage_remove(s, n->m->removed[i], e);
    for (size_t i = 0; r == 0 && i < n->m->nremoved_folders; i++)
        r = stage_remove(s, n->m->removed_folders[i], e);
    for (size_t i = 0; r == 0 && i < n->nfolders; i++)
        r = stage_folder(s, n->folders[i].name, n->folders[i].mode, n->folders[i].mtime_ns, e);
    for (size_t i = 0; r == 0 && i < n->m->nfiles; i++)
        r = stage_reuse(s, n->m->files[i].name, from, e);
    return r;
}

int stage_fill_from_run(struct stage *s, const struct targets *t,
                        const struct increment *const run[], size_t n, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        int fds[TARGETS];
        r = increment_open(t, run[i], fds, e);
        if (r < 0)
            break;
        r = fill_from_increment(s, run[i], fds, e);
        targets_close(fds);
    }
    return r;
}
