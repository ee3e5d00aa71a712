/* SPDX-License-Identifier: MIT */
#include "store/restore/cut_effect.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/restore/stage_cut.h"
#include "store/restore/store_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct comparing {
    const struct cutstate *state;
    const struct cut_entry *entries;
    struct cut_effect *out;
};

/* "data/DB" */
static bool effect_is_database(const char *name)
{
    const char *path;
    return target_kind_of(name, &path) == TARGET_DATA && *path && !strchr(path, '/') &&
           strcmp(path, NAME_INTERNAL) != 0;
}

static int effect_lose_database(struct cut_effect *x, const char *name)
{
    if (!effect_is_database(name))
        return 0;
    if (!array_grow(&x->databases, x->ndatabases))
        return -ENOMEM;
    x->databases[x->ndatabases] = strdup(path_last(name));
    return x->databases[x->ndatabases++] ? 0 : -ENOMEM;
}

/* A file or folder of the store. */
static int effect_compare(void *arg, const char *name, const struct stat *st)
{
    const struct comparing *c = arg;
    struct cut_effect *x = c->out;
    const size_t i = cutstate_find(c->state, name);
    const struct cut_entry *f = i == SIZE_MAX ? NULL : &c->entries[i];
    if (S_ISDIR(st->st_mode))
        return f ? 0 : effect_lose_database(x, name);
    if (!f || cut_is_folder(f)) {
        x->gone++;
        x->gone_bytes += (uint64_t)st->st_size;
    } else if (f->attr.size == (uint64_t)st->st_size &&
               f->attr.mtime_ns == time_from_spec(&st->st_mtim)) {
        x->same++;
        x->same_bytes += f->attr.size;
    } else {
        x->changed++;
        x->changed_bytes += f->attr.size;
    }
    return 0;
}

/* The file system that its staging folder will be on. */
static int effect_device(const struct target *t, dev_t *out)
{
    struct stat st;
    autoclose int fd = target_open_folder(t);
    if (fd < 0 && t->parent < 0)
        return -ENOENT; /* no folder that holds it is there either */
    if (fstat(fd < 0 ? t->parent : fd, &st) < 0)
        return -errno;
    *out = st.st_dev;
    return 0;
}

/* How the files of the cut would be put there. */
static int effect_place(const struct targets *t, struct placing *p, const struct comparing *c,
                        size_t n, struct err *e)
{
    dev_t dev[TARGETS] = {0};
    struct cut_effect *x = c->out;
    for (int k = 0; k < TARGETS; k++) {
        int r = effect_device(&t->at[k], &dev[k]);
        if (r < 0 && r != -ENOENT)
            return err_sys(e, r, "%s", t->at[k].path);
    }
    for (size_t i = 0; i < n; i++) {
        const struct cut_entry *f = &c->entries[i];
        const char *path;
        const enum target_kind kind = target_kind_of(f->path, &path);
        const struct file_attr as = stage_cut_attr(f, t->at[kind].uid, t->at[kind].gid);
        bool links = false;
        int r = cut_is_folder(f) ? 0 : placing_links(p, f, &as, dev[kind], &links, e);
        if (r < 0)
            return r;
        if (cut_is_folder(f))
            continue;
        x->back++; /* until those that the store has are taken off */
        x->back_bytes += f->attr.size;
        x->linked += links;
        x->copied += !links;
        x->copied_bytes += links ? 0 : f->attr.size;
        x->need[kind] += links ? 0 : f->attr.size;
    }
    return 0;
}

int cut_effect_look(const struct targets *t, struct placing *p, const struct cutstate *state,
                    struct cut_effect *out, struct err *e)
{
    cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
    struct cut_effect x = {0};
    struct comparing c = {.state = state, .out = &x};
    size_t n;
    c.entries = cutstate_entries(state, &n);
    int r = targets_open_store(t, fds, e);
    if (r == 0)
        r = effect_place(t, p, &c, n, e);
    if (r == 0 && (r = store_walk(fds, effect_compare, &c)) < 0)
        err_sys(e, r, "%s", "the store's folders cannot be read");
    if (r < 0) {
        cut_effect_clear(&x);
        return r;
    }
    x.back -= x.same + x.changed;
    x.back_bytes -= x.same_bytes + x.changed_bytes;
    err_set(&x.said, 0, "%s", placing_said(p));
    *out = x;
    return 0;
}

void cut_effect_clear(struct cut_effect *x)
{
    for (size_t i = 0; i < x->ndatabases; i++)
        free(x->databases[i]);
    free(x->databases);
    *x = (struct cut_effect){0};
}
