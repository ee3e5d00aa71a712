/* SPDX-License-Identifier: MIT */
/* New items. */
#include "store/base/time.h"
#include "store/influx/metaedit_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A name that is a folder's. */
static int add_check_name(const struct metaedit_node *up, enum metaedit_kind kind, const char *name,
                          struct err *e)
{
    const char *what = kind == METAEDIT_DATABASE ? "database" : "retention policy";
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
        return err_set(e, -EINVAL, "\"%s\" cannot be the name of a %s", name, what);
    if (metaedit_node_named(up, kind, name))
        return err_set(e, -EEXIST, "meta.db: there is a %s %s already", what, name);
    return 0;
}

static int add_node(struct metaedit *m, enum metaedit_kind kind, const char *name,
                    struct metaedit_node **out, struct err *e)
{
    struct metaedit_node *node = metaedit_node_new(m, kind);
    if (!node || !metaedit_node_text(m, &node->item.name, name))
        return metaedit_no_memory(e);
    node->changed = true;
    *out = node;
    return 0;
}

int metaedit_add_database(struct metaedit *m, const char *name, const struct metaedit_item **out,
                          struct err *e)
{
    struct metaedit_node *node = NULL;
    int r = add_check_name(&m->root, METAEDIT_DATABASE, name, e);
    if (r == 0)
        r = add_node(m, METAEDIT_DATABASE, name, &node, e);
    if (r < 0)
        return r;
    metaedit_node_place(node, &m->root);
    *out = &node->item;
    return 0;
}

int metaedit_add_policy(struct metaedit *m, const struct metaedit_item *database, const char *name,
                        const struct meta_rules *rules, const struct metaedit_item **out,
                        struct err *e)
{
    struct metaedit_node *up = metaedit_node(database), *node = NULL;
    int r = add_check_name(up, METAEDIT_POLICY, name, e);
    if (r == 0)
        r = add_node(m, METAEDIT_POLICY, name, &node, e);
    if (r < 0)
        return r;
    node->item.rules = *rules;
    metaedit_node_place(node, up);
    if (rules->is_default) {
        up->item.default_policy = node->item.name;
        metaedit_node_defaults(up);
    }
    *out = &node->item;
    return 0;
}

int metaedit_add_group(struct metaedit *m, const struct metaedit_item *policy, int64_t start,
                       int64_t end, const struct metaedit_item **out, struct err *e)
{
    struct metaedit_node *node = NULL;
    int r = add_node(m, METAEDIT_GROUP, "", &node, e);
    if (r == 0)
        r = metaedit_take_group(m, &node->item.id, e);
    if (r < 0)
        return r;
    node->item.start = start;
    node->item.end = end;
    metaedit_node_place(node, metaedit_node(policy));
    *out = &node->item;
    return 0;
}

int metaedit_add_shard(struct metaedit *m, const struct metaedit_item *group, uint64_t id,
                       const struct metaedit_item **out, struct err *e)
{
    struct metaedit_node *node = NULL;
    int r = metaedit_take_shard(m, &id, e);
    if (r == 0)
        r = add_node(m, METAEDIT_SHARD, "", &node, e);
    if (r < 0)
        return r;
    node->item.id = id;
    metaedit_node_place(node, metaedit_node(group));
    *out = &node->item;
    return 0;
}

int metaedit_grant(struct metaedit *m, const struct metaedit_item *user, const char *db,
                   int privilege, struct err *e)
{
    struct metaedit_node *up = metaedit_node(user);
    struct metaedit_node *node = metaedit_node_named(up, METAEDIT_GRANT, db);
    const int had = node ? node->item.privilege : 0;
    if (node && (had | privilege) == had)
        return 0;
    if (!node) {
        int r = add_node(m, METAEDIT_GRANT, db, &node, e);
        if (r < 0)
            return r;
        metaedit_node_place(node, up);
    }
    node->item.privilege = had | privilege;
    metaedit_node_touch(node);
    return 0;
}

/* ---- groups by time ---- */

/* A start or end of 0 is the year 1 to influxd (data.go, UnmarshalTime). */
static int64_t as_read(int64_t time)
{
    return time ? time : INT64_MIN;
}

/* Where the group ends for new points. */
static int64_t add_limit(const struct metaedit_item *group)
{
    return group->truncated ? group->truncated : as_read(group->end);
}

const struct metaedit_item *metaedit_group_at(const struct metaedit *m,
                                              const struct metaedit_item *policy, int64_t time)
{
    const struct metaedit_item *g = metaedit_first(m, policy, METAEDIT_GROUP);
    for (; g; g = metaedit_next(g))
        if (!g->deleted && as_read(g->start) <= time && time < as_read(g->end) &&
            time < add_limit(g))
            return g;
    return NULL;
}

int metaedit_group_for(struct metaedit *m, const struct metaedit_item *policy, int64_t time,
                       const struct metaedit_item **out, struct err *e)
{
    const struct metaedit_item *g = metaedit_group_at(m, policy, time), *shard;
    /* servers before 0.9.5 may have left the length out */
    const int64_t asked = policy->rules.shard_duration, length = asked > 0 ? asked : 7 * DAY_NS;
    int64_t start = time_floor(time, length), end = time_ceil(time, length);
    if (g) {
        *out = g;
        return 0;
    }
    for (g = metaedit_first(m, policy, METAEDIT_GROUP); g; g = metaedit_next(g)) {
        if (g->deleted)
            continue;
        if (add_limit(g) <= time && add_limit(g) > start)
            start = add_limit(g);
        if (g->start > time && g->start < end)
            end = g->start;
    }
    end = end == 0 ? 1 : end; /* 0 would be the year 1 */
    int r = metaedit_add_group(m, policy, start, end, &g, e);
    if (r == 0)
        r = metaedit_add_shard(m, g, 0, &shard, e);
    if (r == 0)
        *out = g;
    return r;
}
