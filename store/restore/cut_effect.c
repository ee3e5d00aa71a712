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

/* The cut and the store are walked side by side, in the same order. */
struct comparing {
    const struct targets *t;
    dev_t dev[TARGETS]; /* the file systems of their staging folders */
    struct placing *placing;
    struct cutstream *from;
    const struct cut_entry *f; /* at hand in the cut; NULL: its end */
    struct cut_effect *out;
    struct err *e;
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

/* How the file at hand would be put there; and goes to the next one. */
static int effect_place(struct comparing *c)
{
    const struct cut_entry *f = c->f;
    struct cut_effect *x = c->out;
    const char *path;
    const enum target_kind kind = target_kind_of(f->path, &path);
    const struct file_attr as = stage_cut_attr(f, c->t->at[kind].uid, c->t->at[kind].gid);
    bool links = false;
    if (!cut_is_folder(f)) {
        int r = placing_links(c->placing, f, &as, c->dev[kind], &links, c->e);
        if (r < 0)
            return r;
        x->back++; /* until those that the store has are taken off */
        x->back_bytes += f->attr.size;
        x->linked += links;
        x->copied += !links;
        x->copied_tsm += !links && name_is_tsm(path_last(f->path));
        x->copied_bytes += links ? 0 : f->attr.size;
        x->need[kind] += links ? 0 : f->attr.size;
    }
    return cutstream_next(c->from, &c->f, c->e);
}

/* A file of the store, which the cut may have. */
static void effect_see(struct cut_effect *x, const struct cut_entry *f, const struct stat *st)
{
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
}

/* A file or folder of the store. */
static int effect_compare(void *arg, const char *name, const struct stat *st)
{
    struct comparing *c = arg;
    int r = 0, d = -1;
    while (r == 0 && c->f && (d = cut_path_cmp(c->f->path, name)) < 0)
        r = effect_place(c);
    if (r < 0)
        return r;
    const struct cut_entry *f = c->f && d == 0 ? c->f : NULL;
    if (!S_ISDIR(st->st_mode))
        effect_see(c->out, f, st);
    else if (!f)
        r = effect_lose_database(c->out, name);
    return r;
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

static int effect_begin(struct comparing *c, const struct cutuse *cut)
{
    for (int k = 0; k < TARGETS; k++) {
        int r = effect_device(&c->t->at[k], &c->dev[k]);
        if (r < 0 && r != -ENOENT)
            return err_sys(c->e, r, "%s", c->t->at[k].path);
    }
    int r = cutuse_stream(cut, &c->from, c->e);
    return r < 0 ? r : cutstream_next(c->from, &c->f, c->e);
}

int cut_effect_look(const struct targets *t, struct placing *p, const struct cutuse *cut,
                    struct cut_effect *out, struct err *e)
{
    cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
    cleanup(cut_effect_clear) struct cut_effect x = {0};
    struct err why = {0};
    struct comparing c = {.t = t, .placing = p, .out = &x, .e = &why};
    int r = targets_open_store(t, fds, &why);
    if (r == 0)
        r = effect_begin(&c, cut);
    if (r == 0 && (r = store_walk(fds, effect_compare, &c)) < 0 && !why.text[0])
        err_sys(&why, r, "the store's folders cannot be read");
    while (r == 0 && c.f)
        r = effect_place(&c);
    cutstream_free(c.from);
    if (r < 0)
        return err_set(e, r, "%s", why.text);
    x.back -= x.same + x.changed;
    x.back_bytes -= x.same_bytes + x.changed_bytes;
    err_set(&x.said, 0, "%s", placing_said(p));
    *out = x;
    x = (struct cut_effect){0};
    return 0;
}

void cut_effect_clear(struct cut_effect *x)
{
    for (size_t i = 0; i < x->ndatabases; i++)
        free(x->databases[i]);
    free(x->databases);
    *x = (struct cut_effect){0};
}
