/* SPDX-License-Identifier: MIT */
/* What lies in the folder of a set, by names and manifests: the runs and the archives. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/sets/set_impl.h"
#include "store/sets/set_manifest.h"
#include "store/sets/set_name.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

static int set_list_add_run(struct set *s, const char *meta, const struct set_run *run)
{
    if (!array_grow(&s->runs, s->nruns))
        return -ENOMEM;
    s->runs[s->nruns] = *run;
    s->runs[s->nruns].meta = strdup(meta);
    return s->runs[s->nruns++].meta ? 0 : -ENOMEM;
}

/* Adds an archive, whose file must be there. */
static int set_list_add(struct set *s, const struct set_archive *a, struct err *e)
{
    uint64_t size = 0;
    autoclose int fd = set_open_file(s->folder, a->name, &size, e);
    if (fd < 0)
        return fd;
    if (!array_grow(&s->archives, s->narchives))
        return err_sys(e, -ENOMEM, "%s", a->name);
    struct set_archive *to = &s->archives[s->narchives++];
    *to = *a;
    to->bytes = size;
    to->name = strdup(a->name);
    to->db = a->db ? strdup(a->db) : NULL;
    to->rp = a->rp ? strdup(a->rp) : NULL;
    return to->name && !to->db == !a->db && !to->rp == !a->rp ? 0
                                                              : err_sys(e, -ENOMEM, "%s", a->name);
}

/* Legacy */

static int set_list_legacy(struct set *s, char *name, struct err *e)
{
    struct set_archive a = {.name = name, .tar = UINT64_MAX};
    uint64_t run;
    if (set_name_meta(name, &run)) {
        int r = set_list_add_run(s, name, &(struct set_run){.order = run});
        return r < 0 ? err_sys(e, r, "%s", name) : 0;
    }
    if (!set_name_shard(name, &a.prefix, &a.id, &a.order))
        return 0;
    a.as = a.id;
    return set_list_add(s, &a, e);
}

/* Portable */

static int set_list_named(struct set *s, const struct set_manifest *m, uint64_t order,
                          struct err *e)
{
    const struct set_run run = {
        .size = m->meta_size, .order = order, .limited = m->limited, .whole = m->whole};
    int r = set_list_add_run(s, m->meta, &run);
    if (r < 0)
        return err_sys(e, r, "%s", m->meta);
    for (size_t i = 0; r == 0 && i < m->nfiles; i++) {
        const struct set_manifest_file *f = &m->files[i];
        const struct set_archive a = {.name = f->name,
                                      .db = f->db,
                                      .rp = f->rp,
                                      .id = f->shard,
                                      .as = f->shard,
                                      .order = order,
                                      .tar = f->size};
        r = set_list_add(s, &a, e);
    }
    return r;
}

static int set_list_manifest(struct set *s, const char *name, uint64_t order, struct err *e)
{
    autofree char *text = NULL;
    size_t len = 0;
    struct err why = {0};
    struct set_manifest m = {0};
    int r = io_read_file(s->folder, name, SET_MANIFEST_MAX, &text, &len);
    if (r < 0)
        return err_sys(e, r == -EINVAL || r == -ELOOP ? -EBADMSG : r, "%s", name);
    if ((r = set_manifest_parse(text, len, &m, &why)) == 0)
        r = set_list_named(s, &m, order, &why);
    set_manifest_clear(&m);
    if (r == -ENOENT)
        return err_set(e, -EBADMSG, "incomplete: %s names a file that is missing: %s", name,
                       why.text);
    return r < 0 ? err_set(e, r, "%s: %s", name, why.text) : 0;
}

/* Both */

static int by_order(const void *a, const void *b)
{
    const struct set_run *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_shard_and_order(const void *a, const void *b)
{
    const struct set_archive *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Which kind of set it is; not both. */
static int set_list_find_kind(struct set *s, const char *name, struct err *e)
{
    const enum set_name kind = set_name_kind(name);
    const char *dot = strrchr(name, '.');
    s->pending += dot && strcmp(dot, ".pending") == 0;
    if (kind == SET_NO_NAME)
        return 0;
    if (s->kind != SET_NO_NAME && s->kind != kind)
        return err_set(e, -EINVAL,
                       "it holds files of a legacy and of a portable backup; move each "
                       "into a folder of its own");
    s->kind = kind;
    return 0;
}

static int set_list_add_name(struct set *s, char *name, uint64_t *order, struct err *e)
{
    if (s->kind == SET_LEGACY)
        return set_list_legacy(s, name, e);
    return set_name_manifest(name) ? set_list_manifest(s, name, (*order)++, e) : 0;
}

static int set_list_check(struct set *s, struct err *e)
{
    if (s->kind == SET_NO_NAME)
        return err_set(e, -EINVAL,
                       "it holds no backup of influxd: neither meta.00 nor a .manifest");
    if (s->nruns == 0)
        return err_set(e, -EBADMSG, "incomplete: %s is missing",
                       s->kind == SET_LEGACY ? "the metastore, meta.NN," : "the .manifest");
    qsort(s->runs, s->nruns, sizeof(*s->runs), by_order);
    if (s->narchives)
        qsort(s->archives, s->narchives, sizeof(*s->archives), by_shard_and_order);
    return 0;
}

/* Names come sorted, so manifests do from the oldest on. Folders may bear any name: those of backup/
 * in a mount are databases. */
int set_list(struct set *s, struct err *e)
{
    struct dir d;
    uint64_t order = 0;
    int r = dir_read(s->folder, &d);
    if (r < 0)
        return err_sys(e, r, "the folder");
    for (size_t i = 0; r == 0 && i < d.n; i++)
        r = dir_type(&d, i) == DT_DIR ? 0 : set_list_find_kind(s, d.names[i], e);
    for (size_t i = 0; r == 0 && i < d.n; i++)
        r = dir_type(&d, i) == DT_DIR ? 0 : set_list_add_name(s, d.names[i], &order, e);
    dir_free(&d);
    return r == 0 ? set_list_check(s, e) : r;
}
