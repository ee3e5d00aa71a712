/* SPDX-License-Identifier: MIT */
#include "store/restore/merge_plan.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"

#include <errno.h>
#include <string.h>

typedef const struct metaedit_item item;

struct planning {
    struct metaedit *here;
    const struct metaedit *there;
    item *db;       /* there */
    item *our_db;   /* here */
    item *policy;   /* here */
    const char *rp; /* of the policy, there */
    const struct selection *what;
    const struct merge_shards *shards;
    struct merge_plan *p;
    struct err *e;
};

static int no_memory(const struct planning *p)
{
    return err_sys(p->e, -ENOMEM, "planning a merge");
}

void merge_plan_clear(struct merge_plan *p)
{
    merge_notes_clear(&p->notes);
    free(p->steps);
    *p = (struct merge_plan){0};
}

static int plan_add(struct planning *p, const struct merge_step *s)
{
    if (!array_grow(&p->p->steps, p->p->nsteps))
        return no_memory(p);
    p->p->steps[p->p->nsteps++] = *s;
    return 0;
}

/* Groups */

static bool is_live(item *group)
{
    return group->deleted == 0;
}

static size_t count_shards(const struct metaedit *m, item *group)
{
    size_t n = 0;
    for (item *s = metaedit_first(m, group, METAEDIT_SHARD); s; s = metaedit_next(s))
        n++;
    return n;
}

static item *nth_shard(const struct metaedit *m, item *group, size_t i)
{
    item *s = metaedit_first(m, group, METAEDIT_SHARD);
    while (s && i--)
        s = metaedit_next(s);
    return s;
}

/* The store's group with the times of this one; *overlap: whether another one
 * shares some. */
static item *plan_twin(const struct planning *p, item *group, bool *overlap)
{
    item *twin = NULL;
    *overlap = false;
    for (item *g = metaedit_first(p->here, p->policy, METAEDIT_GROUP); g; g = metaedit_next(g)) {
        if (!is_live(g) || g->end <= metaedit_earliest(group) || group->end <= metaedit_earliest(g))
            continue;
        if (g->start == group->start && g->end == group->end && !g->truncated)
            twin = g;
        else
            *overlap = true;
    }
    return twin;
}

/* Whether influxd would make a group of these times in a policy with this
 * duration (services/meta/data.go CreateShardGroup): the last one is cut off at
 * the end of time. */
static bool plan_lines_up(item *group, int64_t duration)
{
    if (duration <= 0)
        return false;
    if (group->end == INT64_MAX)
        return time_floor(group->start, duration) == group->start &&
               (__int128)group->end - group->start <= duration;
    return time_floor(group->end, duration) == group->end &&
           (uint64_t)group->end - (uint64_t)group->start == (uint64_t)duration;
}

/* Points */

/* Where the points of one shard go. */
struct placing {
    struct planning *p;
    item **groups; /* here */
    size_t n, last;
};

static bool contains(item *group, int64_t time)
{
    return metaedit_earliest(group) <= time && time < group->end;
}

static int plan_place(void *ctx, int64_t min, int64_t max)
{
    struct placing *to = ctx;
    struct planning *p = to->p;
    size_t i = to->last;
    if (i >= to->n || !contains(to->groups[i], min))
        for (i = 0; i < to->n && !contains(to->groups[i], min); i++)
            ;
    if (i == to->n) {
        if (!array_grow(&to->groups, to->n))
            return no_memory(p);
        int r = metaedit_group_for(p->here, p->policy, min, &to->groups[to->n], p->e);
        if (r < 0)
            return r;
        to->n++;
    }
    to->last = i;
    return !contains(to->groups[i], max);
}

static int by_time(const void *va, const void *vb)
{
    const item *a = *(item *const *)va, *b = *(item *const *)vb;
    return (metaedit_earliest(a) > metaedit_earliest(b)) -
           (metaedit_earliest(a) < metaedit_earliest(b));
}

/* A shard's points of the times of a group here: by series if that has several
 * shards. */
static int plan_into(struct planning *p, item *shard, item *group)
{
    const size_t n = count_shards(p->here, group);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct merge_step step = {.how = MERGE_BY_POINT,
                                        .rp = p->rp,
                                        .there = shard->id,
                                        .here = nth_shard(p->here, group, i)->id,
                                        .range = {metaedit_earliest(group), group->end - 1},
                                        .n = n,
                                        .i = i};
        r = plan_add(p, &step);
    }
    return r;
}

static int plan_by_point(struct planning *p, item *shard)
{
    struct placing to = {.p = p};
    p->p->counts[MERGE_BY_POINT]++;
    int r = p->shards->times(p->shards->ctx, shard->id, plan_place, &to, p->e);
    if (to.n)
        qsort(to.groups, to.n, sizeof(*to.groups), by_time);
    for (size_t i = 0; r == 0 && i < to.n; i++)
        r = plan_into(p, shard, to.groups[i]);
    free(to.groups);
    return r;
}

/* Shards */

static int plan_whole(struct planning *p, enum merge_how how, uint64_t there, uint64_t here)
{
    const struct merge_step step = {
        .how = how, .rp = p->rp, .there = there, .here = here, .range = SETTLED_ALL, .n = 1};
    p->p->counts[how]++;
    return plan_add(p, &step);
}

/* 1: the shard is wanted and has files. */
static int plan_wants(const struct planning *p, uint64_t id, item *group)
{
    if (!selection_has_shard(p->what, p->db->name, p->rp, id, metaedit_earliest(group), group->end))
        return 0;
    return p->shards->holds(p->shards->ctx, id, p->e);
}

/* The shards of a copied group that are wanted lie as they are; the others go again. */
static int plan_copied(struct planning *p, item *group, const struct metaedit_copied *c)
{
    item *next, *shard = metaedit_first(p->here, group, METAEDIT_SHARD);
    int r = 0;
    for (; r == 0 && shard; shard = next) {
        size_t i = 0;
        next = metaedit_next(shard);
        while (i < c->nshards && c->shards[i].to != shard->id)
            i++;
        if (i == c->nshards)
            continue;
        r = plan_wants(p, c->shards[i].from, group);
        if (r == 0)
            metaedit_remove(p->here, shard);
        else if (r == 1)
            r = plan_whole(p, MERGE_AS_IT_LIES, c->shards[i].from, shard->id);
    }
    return r;
}

static int plan_copy_group(struct planning *p, item *group)
{
    cleanup(metaedit_copied_clear) struct metaedit_copied copied = {0};
    item *made = NULL;
    int r = metaedit_copy_group(p->here, group, p->policy, &copied, &made, p->e);
    return r < 0 ? r : plan_copied(p, made, &copied);
}

/* A group whose times are those of a group here. */
static int plan_twins(struct planning *p, item *group, item *twin)
{
    const size_t theirs = count_shards(p->there, group), ours = count_shards(p->here, twin);
    int r = 0;
    size_t i = 0;
    for (item *s = metaedit_first(p->there, group, METAEDIT_SHARD); r == 0 && s;
         s = metaedit_next(s), i++) {
        r = plan_wants(p, s->id, group);
        if (r != 1)
            continue;
        if (ours == theirs || ours == 1) {
            item *to = nth_shard(p->here, twin, ours == 1 ? 0 : i);
            r = plan_whole(p, MERGE_BY_FILE, s->id, to->id);
        } else {
            p->p->counts[MERGE_BY_POINT]++;
            r = plan_into(p, s, twin);
        }
    }
    return r;
}

static int plan_group(struct planning *p, item *group)
{
    bool overlap;
    item *twin = plan_twin(p, group, &overlap);
    if (twin && !group->truncated)
        return plan_twins(p, group, twin);
    int r = 0, wanted = 0;
    for (item *s = metaedit_first(p->there, group, METAEDIT_SHARD); r >= 0 && s;
         s = metaedit_next(s))
        wanted |= (r = plan_wants(p, s->id, group)) == 1;
    if (r < 0 || !wanted)
        return r < 0 ? r : 0;
    if (!overlap && !twin && plan_lines_up(group, p->policy->rules.shard_duration))
        return plan_copy_group(p, group);
    r = 0;
    for (item *s = metaedit_first(p->there, group, METAEDIT_SHARD); r == 0 && s;
         s = metaedit_next(s))
        if ((r = plan_wants(p, s->id, group)) == 1)
            r = plan_by_point(p, s);
    return r;
}

/* Policies */

static int plan_new_policy(struct planning *p, item *theirs)
{
    cleanup(metaedit_copied_clear) struct metaedit_copied copied = {0};
    item *next, *g;
    int r = metaedit_copy_policy(p->here, theirs, p->our_db, &copied, p->e);
    if (r < 0)
        return r;
    p->policy = metaedit_find(p->here, p->our_db, METAEDIT_POLICY, theirs->name);
    for (g = metaedit_first(p->here, p->policy, METAEDIT_GROUP); r == 0 && g; g = next) {
        next = metaedit_next(g);
        r = plan_copied(p, g, &copied);
    }
    return r;
}

static int plan_policy(struct planning *p, item *theirs)
{
    p->rp = theirs->name;
    p->policy = metaedit_find(p->here, p->our_db, METAEDIT_POLICY, theirs->name);
    if (!p->policy)
        return plan_new_policy(p, theirs);
    int r = 0;
    for (item *g = metaedit_first(p->there, theirs, METAEDIT_GROUP); r == 0 && g;
         g = metaedit_next(g))
        r = is_live(g) ? plan_group(p, g) : 0;
    return r;
}

int merge_plan_database(struct metaedit *here, const struct metaedit_item *our_db,
                        const struct metaedit *there, const struct metaedit_item *their_db,
                        const struct selection *what, const struct merge_shards *shards,
                        struct merge_plan *p, struct err *e)
{
    struct planning planning = {.here = here,
                                .there = there,
                                .db = their_db,
                                .our_db = our_db,
                                .what = what,
                                .shards = shards,
                                .p = p,
                                .e = e};
    int r = merge_notes_take(here, our_db, there, their_db, what, &p->notes) < 0
                ? no_memory(&planning)
                : 0;
    for (item *rp = metaedit_first(there, their_db, METAEDIT_POLICY); r == 0 && rp;
         rp = metaedit_next(rp))
        if (selection_has_policy(what, their_db->name, rp->name))
            r = plan_policy(&planning, rp);
    return r;
}
