/* SPDX-License-Identifier: MIT */
#include "store/restore/merge_cut.h"

#include "store/base/array.h"

#include <errno.h>

typedef const struct metaedit_item item;

static struct time_range times_of(item *group)
{
    return (struct time_range){metaedit_earliest(group), group->end - 1};
}

static int cut_add(struct merge_plan *p, const char *rp, uint64_t shard, int64_t min, int64_t max)
{
    if (!array_grow(&p->steps, p->nsteps))
        return -ENOMEM;
    p->steps[p->nsteps++] = (struct merge_step){
        .how = MERGE_BY_POINT, .rp = rp, .kept = true, .here = shard, .range = {min, max}, .n = 1};
    return 0;
}

/* The next times from `from` on that are replaced: of the snapshot's groups, which stand by their
 * ends, cut to what is asked for. false: none. */
static bool cut_next(const struct metaedit *there, item *policy, const struct selection *what,
                     int64_t from, struct time_range *out)
{
    bool any = false;
    for (item *g = metaedit_first(there, policy, METAEDIT_GROUP); g; g = metaedit_next(g)) {
        const struct time_range r = merge_cut(times_of(g), what);
        if (g->deleted || r.min > r.max || r.max < from || (any && r.min >= out->min))
            continue;
        *out = r;
        any = true;
    }
    return any;
}

/* The points of a shard that are of other times; a step that keeps nothing if there are none. */
static int cut_shard(const struct metaedit *there, item *their_policy, const struct selection *what,
                     item *group, uint64_t shard, struct merge_plan *p)
{
    const struct time_range all = times_of(group);
    struct time_range gone = {0, 0};
    int64_t at = all.min;
    bool first = true;
    while (cut_next(there, their_policy, what, at, &gone) && gone.min <= all.max) {
        int r = gone.min > at ? cut_add(p, their_policy->name, shard, at, gone.min - 1)
                : first       ? cut_add(p, their_policy->name, shard, 1, 0)
                              : 0;
        if (r < 0)
            return r;
        first = false;
        if (gone.max >= all.max)
            return 0;
        at = gone.max + 1;
    }
    return first ? 0 : cut_add(p, their_policy->name, shard, at, all.max);
}

static int cut_policy(const struct metaedit *here, item *ours, const struct metaedit *there,
                      item *theirs, const struct selection *what, struct merge_plan *p)
{
    int r = 0;
    for (item *g = metaedit_first(here, ours, METAEDIT_GROUP); r == 0 && g; g = metaedit_next(g))
        for (item *s = metaedit_first(here, g, METAEDIT_SHARD); r == 0 && s && !g->deleted;
             s = metaedit_next(s))
            r = cut_shard(there, theirs, what, g, s->id, p);
    return r;
}

int merge_cut_plan(const struct metaedit *here, const struct metaedit_item *our_db,
                   const struct metaedit *there, const struct metaedit_item *their_db,
                   const struct selection *what, struct merge_plan *p, struct err *e)
{
    int r = 0;
    for (item *theirs = metaedit_first(there, their_db, METAEDIT_POLICY); r == 0 && theirs;
         theirs = metaedit_next(theirs)) {
        item *ours = metaedit_find(here, our_db, METAEDIT_POLICY, theirs->name);
        if (ours && selection_has_policy(what, their_db->name, theirs->name))
            r = cut_policy(here, ours, there, theirs, what, p);
    }
    return r < 0 ? err_sys(e, r, "restore") : 0;
}

bool merge_cut_nothing(const struct metaedit *there, const struct metaedit_item *their_db,
                       const char *rp, uint64_t shard, const struct selection *what)
{
    item *policy = metaedit_find(there, their_db, METAEDIT_POLICY, rp);
    for (item *g = metaedit_first(there, policy, METAEDIT_GROUP); policy && g; g = metaedit_next(g))
        for (item *s = metaedit_first(there, g, METAEDIT_SHARD); s; s = metaedit_next(s))
            if (s->id == shard) {
                const struct time_range all = times_of(g), cut = merge_cut(all, what);
                return cut.min == all.min && cut.max == all.max;
            }
    return false;
}
