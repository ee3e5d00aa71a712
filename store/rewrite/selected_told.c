/* SPDX-License-Identifier: MIT */
#include "store/base/array.h"
#include "store/influx/names.h"
#include "store/rewrite/selected_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "DB/RP/ID…" in its parts; a policy or an id may be missing. */
struct place {
    char db[NAME_MAX + 1], rp[NAME_MAX + 1];
    uint64_t id;
    bool has_id;
};

static const char *told_take(const char *p, char name[NAME_MAX + 1])
{
    size_t n = strcspn(p, "/");
    snprintf(name, NAME_MAX + 1, "%.*s", (int)(n < NAME_MAX ? n : NAME_MAX), p);
    return p + n + (p[n] == '/');
}

/* As whole captures name what they tell of: a shard alone, or a path with its root. */
static struct place told_place(const char *name)
{
    struct place p = {.has_id = false};
    char id[NAME_MAX + 1];
    if (strncmp(name, "data/", 5) == 0 || strncmp(name, "wal/", 4) == 0)
        name = strchr(name, '/') + 1;
    name = told_take(told_take(name, p.db), p.rp);
    told_take(name, id);
    id[strcspn(id, " ")] = 0; /* of a link: "ID -> TARGET" */
    p.has_id = name_is_shard(id, &p.id) || name_is_padded_shard(id, &p.id);
    return p;
}

/* What is left out is told if it may be of the part: what meta.db does not know has no times. */
static bool told_omission(const struct selection *what, const char *name)
{
    const struct place p = told_place(name);
    if (!*p.rp)
        return selection_has_database(what, p.db);
    if (!p.has_id)
        return selection_has_policy(what, p.db, p.rp);
    return selection_has_shard(what, p.db, p.rp, p.id, INT64_MIN, INT64_MAX);
}

static bool told_link(const struct meta *meta, const char *link)
{
    const struct place p = told_place(link);
    size_t k;
    return p.has_id && meta_live_find(meta, p.db, p.rp, p.id, &k);
}

int selected_tell(struct selected *s, const struct meta *meta)
{
    const struct omissions *all = capture_left_out(s->whole);
    size_t n;
    const char *const *links = capture_links(s->whole, &n);
    for (size_t i = 0; i < all->n; i++) {
        const struct omission *m = &all->at[i];
        if (told_omission(s->what, m->name) &&
            omissions_add(&s->left_out, m->name, m->files, m->bytes, m->why) < 0)
            return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (!told_link(meta, links[i]))
            continue;
        if (!array_grow(&s->links, s->c.nlinks))
            return -ENOMEM;
        s->links[s->c.nlinks++] = links[i];
    }
    s->c.links = s->links;
    return 0;
}
