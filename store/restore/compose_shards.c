/* SPDX-License-Identifier: MIT */
/* Policies and shards of a snapshot in the place of those of a database that else stays as it is. */
#include "store/base/time.h"
#include "store/restore/compose_impl.h"

#include <errno.h>
#include <string.h>

/* Whether policies are asked for as such, and not shards of them. */
static bool shards_by_policy(const struct compose *c)
{
    return !c->part.nshards && c->part.from == INT64_MIN && c->part.to == INT64_MAX;
}

static const struct metaedit_item *first_group(const struct metaedit *m,
                                               const struct metaedit_item *policy)
{
    return metaedit_first(m, policy, METAEDIT_GROUP);
}

/* Whether the snapshot's shards of the policy are of all these times: they stand by their ends. */
static bool shards_cover(const struct compose *c, const struct metaedit_item *policy, int64_t start,
                         int64_t end)
{
    for (const struct metaedit_item *g = first_group(c->incoming, policy); g && start < end;
         g = metaedit_next(g))
        if (metaedit_earliest(g) <= start && g->end > start)
            start = g->end;
    return start >= end;
}

static bool shards_meet(const struct compose *c, const struct metaedit_item *policy, int64_t start,
                        int64_t end)
{
    for (const struct metaedit_item *g = first_group(c->incoming, policy); g; g = metaedit_next(g))
        if (metaedit_earliest(g) < end && g->end > start)
            return true;
    return false;
}

/* A group of the store makes room. It may not hold points of other times: they would be lost. */
static int shards_clear_group(struct compose *c, const struct metaedit_item *policy,
                              const struct metaedit_item *here, const struct metaedit_item *group,
                              struct err *e)
{
    const char *db = metaedit_up(here)->name;
    char start[TIME_TEXT], end[TIME_TEXT];
    const int64_t earliest = metaedit_earliest(group);
    time_text(earliest, start);
    time_text(group->end, end);
    if (!shards_cover(c, policy, earliest, group->end))
        return err_set(e, -EINVAL,
                       "a shard of %s.%s in the store holds points from %s to %s, and the shards "
                       "of the snapshot are not of all these times: the rest would be lost; merge "
                       "the snapshot's shards instead (--merge)",
                       db, here->name, start, end);
    for (const struct metaedit_item *s = metaedit_first(c->meta, group, METAEDIT_SHARD); s;
         s = metaedit_next(s)) {
        int r = compose_drop(c, db, here->name, &s->id, e);
        if (r < 0)
            return r;
    }
    metaedit_remove(c->meta, group);
    return 0;
}

static int shards_clear_groups(struct compose *c, const struct metaedit_item *policy,
                               const struct metaedit_item *here, struct err *e)
{
    const struct metaedit_item *next;
    int r = 0;
    for (const struct metaedit_item *g = first_group(c->meta, here); r == 0 && g; g = next) {
        next = metaedit_next(g);
        if (!g->deleted && shards_meet(c, policy, metaedit_earliest(g), g->end))
            r = shards_clear_group(c, policy, here, g, e);
    }
    return r;
}

int compose_clear_shards(struct compose *c, const struct metaedit_item *database,
                         const struct metaedit_item *here, struct err *e)
{
    int r = 0;
    for (const struct metaedit_item *p = metaedit_first(c->incoming, database, METAEDIT_POLICY);
         r == 0 && p; p = metaedit_next(p)) {
        const struct metaedit_item *old = metaedit_find(c->meta, here, METAEDIT_POLICY, p->name);
        if (!old)
            continue;
        if (!shards_by_policy(c)) {
            r = shards_clear_groups(c, p, old, e);
            continue;
        }
        metaedit_remove(c->meta, old);
        r = compose_drop(c, here->name, p->name, NULL, e);
    }
    return r;
}

static int shards_place_policy(struct compose *c, const struct metaedit_item *policy,
                               const struct metaedit_item *here, struct metaedit_copied *did,
                               struct err *e)
{
    const struct metaedit_item *into = metaedit_find(c->meta, here, METAEDIT_POLICY, policy->name);
    const struct metaedit_item *made;
    int r = 0;
    if (!into)
        return shards_by_policy(c) || first_group(c->incoming, policy)
                   ? metaedit_copy_policy(c->meta, policy, here, did, e)
                   : 0;
    for (const struct metaedit_item *g = first_group(c->incoming, policy); r == 0 && g;
         g = metaedit_next(g))
        r = metaedit_copy_group(c->meta, g, into, did, &made, e);
    return r;
}

int compose_place_shards(struct compose *c, const struct metaedit_item *database,
                         const struct metaedit_item *here, struct composed_database *count,
                         struct err *e)
{
    struct metaedit_copied did = {0};
    int r = 0;
    for (const struct metaedit_item *p = metaedit_first(c->incoming, database, METAEDIT_POLICY);
         r == 0 && p; p = metaedit_next(p))
        r = shards_place_policy(c, p, here, &did, e);
    if (r == 0)
        r = compose_add_copied(c, here->name, database->name, &did, count, e);
    if (r == 0)
        r = compose_touch(c, here->name, e);
    metaedit_copied_clear(&did);
    return r;
}
