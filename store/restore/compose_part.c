/* SPDX-License-Identifier: MIT */
/* Whether the snapshot has what is asked for: every name and number that was given, so that nobody
 * takes a restore for done that was mistyped. */
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/restore/compose_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LISTED 20 /* names in a message */

/* What there is, for a message: "a, b, c and 7 more". */
struct there_is {
    struct buffer text;
    size_t n;
};

static void there_is(struct there_is *l, const char *name)
{
    if (l->n++ >= LISTED)
        return;
    buffer_string(&l->text, l->n > 1 ? ", " : "");
    buffer_string(&l->text, name);
}

/* Refuses, and frees the list. */
static int part_is_missing(struct there_is *l, const char *what, struct err *e)
{
    char more[40];
    if (l->n > LISTED) {
        snprintf(more, sizeof(more), " and %zu more", l->n - LISTED);
        buffer_string(&l->text, more);
    }
    buffer_string(&l->text, l->n ? "" : "none");
    buffer_add(&l->text, "", 1);
    int r = l->text.failed
                ? err_sys(e, -ENOMEM, "restore")
                : err_set(e, -ENOENT, "the snapshot holds no %s; it holds: %s", what, l->text.p);
    buffer_free(&l->text);
    return r;
}

/* What influxd writes about itself is left alone where it would be of no use to anybody. */
static bool part_leaves_alone(const struct compose *c, const char *db)
{
    return (c->q->merge != MERGE_NONE || c->q->as) && strcmp(db, NAME_INTERNAL) == 0 &&
           c->part.ndatabases == 0;
}

const struct metaedit_item *compose_next_database(const struct compose *c,
                                                  const struct metaedit_item *last)
{
    const struct metaedit_item *d =
        last ? metaedit_next(last) : metaedit_first(c->incoming, NULL, METAEDIT_DATABASE);
    while (d && (!selection_has_database(&c->part, d->name) || part_leaves_alone(c, d->name)))
        d = metaedit_next(d);
    return d;
}

/* Refuses with the databases that there are. */
static int part_none(const struct compose *c, const char *what, struct err *e)
{
    struct there_is l = {0};
    for (const struct metaedit_item *d = metaedit_first(c->incoming, NULL, METAEDIT_DATABASE); d;
         d = metaedit_next(d))
        there_is(&l, d->name);
    return part_is_missing(&l, what, e);
}

/* name: NULL: none of those that there are is asked for. */
static int part_no_database(const struct compose *c, const char *name, struct err *e)
{
    char what[600] = "other database than those that are excluded";
    if (name)
        snprintf(what, sizeof(what), "database %s", name);
    return part_none(c, what, e);
}

static int part_no_policy(const struct compose *c, struct err *e)
{
    char name[600];
    struct there_is l = {0};
    const struct metaedit_item *d = NULL;
    while ((d = compose_next_database(c, d)))
        for (const struct metaedit_item *p = metaedit_first(c->incoming, d, METAEDIT_POLICY); p;
             p = metaedit_next(p)) {
            snprintf(name, sizeof(name), "%s.%s", d->name, p->name);
            there_is(&l, name);
        }
    snprintf(name, sizeof(name), "policy %s there", c->part.rp);
    return part_is_missing(&l, name, e);
}

static bool has_name(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Of a database that was asked for when the snapshot was made, there may have been nothing. */
static int part_check_databases(const struct compose *c, struct err *e)
{
    const struct selection *p = &c->part, *made = c->state->selection;
    for (size_t i = 0; i < p->ndatabases; i++)
        if (!metaedit_find(c->incoming, NULL, METAEDIT_DATABASE, p->databases[i]) &&
            !(made && has_name(made->databases, made->ndatabases, p->databases[i])))
            return part_no_database(c, p->databases[i], e);
    if (!compose_next_database(c, NULL))
        return part_no_database(c, p->ndatabases ? p->databases[0] : NULL, e);
    return 0;
}

/* A name that is nowhere is mistyped: the database that was to stay would be replaced. What influxd
 * writes about itself may be missing. */
static int part_check_excluded(const struct compose *c, struct err *e)
{
    const struct selection *p = &c->part, *made = c->state->selection;
    for (size_t i = 0; i < p->nexclude; i++) {
        const char *name = p->exclude[i];
        char what[600];
        if (strcmp(name, NAME_INTERNAL) == 0 ||
            metaedit_find(c->incoming, NULL, METAEDIT_DATABASE, name) ||
            metaedit_find(c->meta, NULL, METAEDIT_DATABASE, name) ||
            (made && has_name(made->exclude, made->nexclude, name)))
            continue;
        snprintf(what, sizeof(what), "database %s, which is to be excluded, nor does the store",
                 name);
        return part_none(c, what, e);
    }
    return 0;
}

/* Calls fn with each shard of the databases and policies that are asked for. */
typedef bool part_shard_fn(void *arg, const struct metaedit_item *policy,
                           const struct metaedit_item *group, const struct metaedit_item *shard);

static bool part_each_shard(const struct compose *c, part_shard_fn *fn, void *arg)
{
    const struct metaedit_item *d = NULL;
    while ((d = compose_next_database(c, d)))
        for (const struct metaedit_item *p = metaedit_first(c->incoming, d, METAEDIT_POLICY); p;
             p = metaedit_next(p))
            for (const struct metaedit_item *g = metaedit_first(c->incoming, p, METAEDIT_GROUP); g;
                 g = metaedit_next(g))
                for (const struct metaedit_item *s = metaedit_first(c->incoming, g, METAEDIT_SHARD);
                     s; s = metaedit_next(s))
                    if (!g->deleted && selection_has_policy(&c->part, d->name, p->name) &&
                        fn(arg, p, g, s))
                        return true;
    return false;
}

static bool is_shard(void *arg, const struct metaedit_item *policy,
                     const struct metaedit_item *group, const struct metaedit_item *shard)
{
    (void)policy;
    (void)group;
    return shard->id == *(const uint64_t *)arg;
}

static bool list_shard(void *arg, const struct metaedit_item *policy,
                       const struct metaedit_item *group, const struct metaedit_item *shard)
{
    char id[32];
    (void)policy;
    (void)group;
    snprintf(id, sizeof(id), "%" PRIu64, shard->id);
    there_is(arg, id);
    return false;
}

struct span {
    const struct selection *part;
    int64_t first, last;
    bool any;
};

static bool part_meets(void *arg, const struct metaedit_item *policy,
                       const struct metaedit_item *group, const struct metaedit_item *shard)
{
    struct span *s = arg;
    (void)policy;
    (void)shard;
    s->first = !s->any || group->start < s->first ? group->start : s->first;
    s->last = !s->any || group->end > s->last ? group->end : s->last;
    s->any = true;
    return group->start < s->part->to && group->end > s->part->from;
}

static int part_check_shards(const struct compose *c, struct err *e)
{
    for (size_t i = 0; i < c->part.nshards; i++) {
        uint64_t id = c->part.shards[i];
        if (part_each_shard(c, is_shard, &id))
            continue;
        char what[60];
        struct there_is l = {0};
        part_each_shard(c, list_shard, &l);
        snprintf(what, sizeof(what), "shard %" PRIu64 " there", id);
        return part_is_missing(&l, what, e);
    }
    return 0;
}

static int part_check_times(const struct compose *c, struct err *e)
{
    char first[TIME_TEXT] = "", last[TIME_TEXT] = "";
    struct span span = {.part = &c->part};
    if ((c->part.from == INT64_MIN && c->part.to == INT64_MAX) ||
        part_each_shard(c, part_meets, &span))
        return 0;
    if (!span.any)
        return err_set(e, -ENOENT, "the snapshot holds no shards there");
    time_text(span.first, first);
    time_text(span.last, last);
    return err_set(e, -ENOENT,
                   "the snapshot holds no shard of these times there; its shards are "
                   "from %s to %s",
                   first, last);
}

int compose_check_part(const struct compose *c, struct err *e)
{
    const struct selection *p = &c->part;
    const struct metaedit_item *d = NULL;
    bool policy = !p->rp;
    int r = part_check_excluded(c, e);
    if (r == 0)
        r = part_check_databases(c, e);
    if (r < 0)
        return r;
    while (!policy && (d = compose_next_database(c, d)))
        policy = metaedit_find(c->incoming, d, METAEDIT_POLICY, p->rp);
    if (!policy)
        return part_no_policy(c, e);
    r = part_check_shards(c, e);
    return r < 0 ? r : part_check_times(c, e);
}
