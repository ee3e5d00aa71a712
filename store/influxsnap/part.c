/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/part.h"

#include "store/base/cleanup.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/influxsnap/tarlook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int part_take(struct snapshots *s, struct tarball *now, const struct capture_origin *origin,
                     struct part *p, struct err *e)
{
    struct capture *c;
    int r = delta_new(tarball_capture(now), p->changes.in, origin, &c);
    if (r == 0)
        r = snapshots_tarball(s, c, &p->tar);
    return r < 0 ? err_sys(e, r, "the snapshot") : 0;
}

/* The first of a chain says so: what follows can then tell whose it is. */
int part_full(struct snapshots *s, struct tarball *now, struct part *out, struct err *e)
{
    const struct capture *c = tarball_capture(now);
    size_t n = capture_count(c);
    struct part p = {.changes.in = malloc(n + 1)};
    const struct capture_origin origin = {
        .kind = capture_origin(c)->kind, .chain = capture_record(c)->id, .number = -1};
    if (!p.changes.in)
        return err_sys(e, -ENOMEM, "the snapshot");
    memset(p.changes.in, true, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct member *m = capture_member(c, i);
        p.changes.files += !member_is_folder(m);
        p.changes.bytes += m->attr.size;
    }
    int r = part_take(s, now, &origin, &p, e);
    if (r < 0)
        part_clear(&p);
    else
        *out = p;
    return r;
}

/* Whether meta.db differs from the last one in the chain in more than _internal. */
static int part_meta_matters(const struct capture *now, const struct tarset *chain, bool *out,
                             struct err *e)
{
    const struct tarset_file *last = NULL;
    for (size_t i = 0; i < chain->n; i++)
        if (!chain->at[i].superseded && manifest_find(chain->at[i].m, NAME_META_MEMBER))
            last = &chain->at[i];
    *out = true;
    for (size_t i = 0; last && i < capture_count(now); i++) {
        const struct member *m = capture_member(now, i);
        autofree char *was = NULL, *is = NULL;
        size_t len;
        bool same;
        if (strcmp(m->name, "meta.db") != 0 || strcmp(m->dir, "meta") != 0)
            continue;
        if (!(is = malloc(m->attr.size + 1)))
            return err_sys(e, -ENOMEM, NAME_META_MEMBER);
        int r = tar_meta(last->path, &was, &len, e);
        if (r == 0)
            r = capture_read(now, i, is, m->attr.size, 0, e);
        if (r == 0)
            r = meta_same_but(was, len, is, m->attr.size,
                              changes_of_internal(now) ? "" : NAME_INTERNAL, &same, e);
        if (r == 0)
            *out = !same;
        return r;
    }
    return 0;
}

static int part_number(struct snapshots *s, struct tarball *now, const struct manifest *first,
                       const struct manifest *last, struct part *p, struct err *e)
{
    const struct capture_origin origin = {
        .kind = MANIFEST_INCREMENTAL,
        .chain = first->chain ? first->chain : first->id,
        .parent = last->id,
        .number = last->number + 1,
        .removed = p->changes.removed,
        .nremoved = p->changes.nremoved,
        .removed_folders = p->changes.removed_folders,
        .nremoved_folders = p->changes.nremoved_folders,
    };
    return part_take(s, now, &origin, p, e);
}

int part_since(struct snapshots *s, struct tarball *now, const struct tarset *chain, bool on_disk,
               struct part *out, struct err *e)
{
    const struct capture *c = tarball_capture(now);
    const struct manifest *last = chain->at[chain->n - 1].m;
    struct part p = {0};
    size_t n;
    autofree const struct manifest **list = tarset_manifests(chain, &n);
    if (!list)
        return err_sys(e, -ENOMEM, "the snapshot");
    *out = p;
    if (strcmp(last->id, capture_record(c)->id) == 0)
        return 0;
    int r = changes_find(list, n, c, &p.changes, e);
    bool matters = p.changes.matters;
    if (r == 0 && !matters && p.changes.meta) {
        matters = true;
        r = on_disk ? part_meta_matters(c, chain, &matters, e) : 0;
    }
    if (r == 0 && matters)
        r = part_number(s, now, list[0], last, &p, e);
    if (r < 0 || !matters)
        part_clear(&p);
    else
        *out = p;
    return r;
}

void part_clear(struct part *p)
{
    tarball_unref(p->tar);
    changes_clear(&p->changes);
    *p = (struct part){0};
}
