/* SPDX-License-Identifier: MIT */
#include "store/restore/merge.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/restore/present.h"

#include <errno.h>
#include <string.h>

struct folders {
    struct stage *stage;
    struct err *e;
};

static int stage_seen(void *arg, const char *name, const struct stat *st)
{
    const struct folders *f = arg;
    if (!S_ISDIR(st->st_mode))
        return 0;
    return stage_folder(f->stage, name, st->st_mode & 0777, io_ts_ns(&st->st_mtim), f->e);
}

static bool listed(const char *name, char *const *names, size_t n)
{
    for (size_t low = 0; low < n;) {
        size_t mid = low + (n - low) / 2;
        int c = strcmp(name, names[mid]);
        if (c == 0)
            return true;
        if (c < 0)
            n = mid;
        else
            low = mid + 1;
    }
    return false;
}

static bool outlived(const char *name, const struct number *const run[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (manifest_find(run[i]->m, name) || listed(name, run[i]->m->removed, run[i]->m->nremoved))
            return false;
    return true;
}

int merge_store(struct stage *s, const struct targets *t, const struct manifest *held,
                const struct number *const run[], size_t n, struct err *e)
{
    int fds[TARGETS];
    struct err own = {0};
    const struct folders f = {s, &own};
    int r = targets_open_store(t, fds, e);
    if (r < 0)
        return r;
    r = present_walk(fds, stage_seen, (void *)&f);
    if (r < 0)
        err_set(e, r, "%s", own.text[0] ? own.text : "the store's folders cannot be read");
    for (size_t i = 0; r == 0 && i < held->nfiles; i++)
        if (outlived(held->files[i].name, run, n))
            r = stage_link(s, held->files[i].name, fds, e);
    targets_close(fds);
    return r;
}

static int merge_number(struct stage *s, const struct number *n, const int from[TARGETS],
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
        r = stage_link(s, n->m->files[i].name, from, e);
    return r;
}

int merge_numbers(struct stage *s, const struct targets *t, const struct number *const run[],
                  size_t n, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        int fds[TARGETS];
        r = pending_open(t, run[i], fds, e);
        if (r < 0)
            break;
        r = merge_number(s, run[i], fds, e);
        targets_close(fds);
    }
    return r;
}
