/* SPDX-License-Identifier: MIT */
/* Items taken away, and changed where they are. */
#include "store/base/array.h"
#include "store/influx/metaedit_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int metaedit_no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "meta.db");
}

static void change_unuse(struct metaedit *m, const struct metaedit_node *node)
{
    if (node->item.kind == METAEDIT_SHARD)
        idset_drop(&m->shards, node->item.id);
    if (node->item.kind == METAEDIT_GROUP)
        idset_drop(&m->groups, node->item.id);
    for (const struct metaedit_node *child = node->first; child; child = child->after)
        change_unuse(m, child);
}

void metaedit_drop(struct metaedit *m, struct metaedit_node *node)
{
    change_unuse(m, node);
    metaedit_node_unlink(node);
}

void metaedit_remove(struct metaedit *m, const struct metaedit_item *item)
{
    struct metaedit_node *node = metaedit_node(item), *up = node->up;
    metaedit_drop(m, node);
    if (item->kind == METAEDIT_SHARD && !metaedit_node_child(up, METAEDIT_SHARD))
        metaedit_drop(m, up);
}

void metaedit_revoke(struct metaedit *m, const char *db)
{
    struct metaedit_node *user = metaedit_node_child(&m->root, METAEDIT_USER), *grant;
    for (; user; user = metaedit_node_next(user))
        while ((grant = metaedit_node_named(user, METAEDIT_GRANT, db)))
            metaedit_drop(m, grant);
}

/* ---- what is chosen stays ---- */

static bool selects_database(void *arg, const char *db)
{
    return selection_has_database(arg, db);
}

static bool selects_policy(void *arg, const char *db, const char *rp)
{
    return selection_has_policy(arg, db, rp);
}

static bool selects_shard(void *arg, const char *db, const char *rp, uint64_t id, int64_t start,
                          int64_t end)
{
    return selection_has_shard(arg, db, rp, id, start, end);
}

struct metaedit_choice metaedit_choice_of(const struct selection *s)
{
    return (struct metaedit_choice){selects_database, selects_policy, selects_shard, (void *)s,
                                    true};
}

static bool is_chosen(const struct metaedit_choice *c, const struct metaedit_node *shard)
{
    const struct metaedit_node *group = shard->up, *policy = group->up, *database = policy->up;
    return !c->shard || c->shard(c->arg, database->item.name, policy->item.name, shard->item.id,
                                 group->item.start, group->item.end);
}

static void change_keep_groups(struct metaedit *m, struct metaedit_node *policy,
                               const struct metaedit_choice *c)
{
    struct metaedit_node *group = metaedit_node_child(policy, METAEDIT_GROUP), *next, *shard,
                         *other;
    for (; group; group = next) {
        next = metaedit_node_next(group);
        for (shard = metaedit_node_child(group, METAEDIT_SHARD); shard; shard = other) {
            other = metaedit_node_next(shard);
            if (!is_chosen(c, shard))
                metaedit_drop(m, shard);
        }
        if (group->item.deleted || !metaedit_node_child(group, METAEDIT_SHARD))
            metaedit_drop(m, group);
    }
}

/* A database whose default policy has gone gets the first one as its default. */
static void change_default(struct metaedit_node *database)
{
    const struct metaedit_node *policy = metaedit_node_child(database, METAEDIT_POLICY);
    if (metaedit_node_named(database, METAEDIT_POLICY, database->item.default_policy))
        return;
    database->item.default_policy = policy ? policy->item.name : "";
    metaedit_node_touch(database);
    metaedit_node_defaults(database);
}

static void change_keep_policies(struct metaedit *m, struct metaedit_node *database,
                                 const struct metaedit_choice *c)
{
    struct metaedit_node *policy = metaedit_node_child(database, METAEDIT_POLICY), *next;
    bool gone = false;
    for (; policy; policy = next) {
        next = metaedit_node_next(policy);
        if (!c->policy || c->policy(c->arg, database->item.name, policy->item.name)) {
            change_keep_groups(m, policy, c);
        } else {
            gone = gone || policy->item.rules.is_default;
            metaedit_drop(m, policy);
        }
    }
    if (gone)
        change_default(database);
}

/* The names of the databases that stay, sorted: there may be as many grants. */
struct names {
    const char **list;
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_name(const struct names *names, const char *name)
{
    return names->n && bsearch(&name, names->list, names->n, sizeof(name), by_name);
}

static void change_keep_users(struct metaedit *m, const struct names *databases, bool users)
{
    struct metaedit_node *user = metaedit_node_child(&m->root, METAEDIT_USER), *next, *grant,
                         *other;
    for (; user; user = next) {
        next = metaedit_node_next(user);
        for (grant = metaedit_node_child(user, METAEDIT_GRANT); grant; grant = other) {
            other = metaedit_node_next(grant);
            if (!has_name(databases, grant->item.name))
                metaedit_drop(m, grant);
        }
        if (!users || (!user->item.admin && !metaedit_node_child(user, METAEDIT_GRANT)))
            metaedit_drop(m, user);
    }
}

int metaedit_keep(struct metaedit *m, const struct metaedit_choice *c, struct err *e)
{
    struct metaedit_node *database = metaedit_node_child(&m->root, METAEDIT_DATABASE), *next;
    struct names stay = {0};
    for (; database; database = next) {
        next = metaedit_node_next(database);
        if (c->database && !c->database(c->arg, database->item.name)) {
            metaedit_drop(m, database);
            continue;
        }
        change_keep_policies(m, database, c);
        if (!array_grow(&stay.list, stay.n)) {
            free(stay.list);
            return metaedit_no_memory(e);
        }
        stay.list[stay.n++] = database->item.name;
    }
    if (stay.n)
        qsort(stay.list, stay.n, sizeof(*stay.list), by_name);
    change_keep_users(m, &stay, c->users);
    free(stay.list);
    return 0;
}

/* ---- changed where it is ---- */

static int change_take_id(struct idset *used, uint64_t counter, const char *what, uint64_t *id,
                          struct err *e)
{
    const uint64_t top = counter > used->top && counter <= INT64_MAX ? counter : used->top;
    if (top == INT64_MAX)
        return err_set(e, -EBADMSG, "meta.db: there is a %s %" PRIu64 ", and no id after it", what,
                       top);
    if (!idset_add(used, top + 1))
        return metaedit_no_memory(e);
    *id = top + 1;
    return 0;
}

int metaedit_take_group(struct metaedit *m, uint64_t *id, struct err *e)
{
    return change_take_id(&m->groups, m->max_group, "shard group", id, e);
}

int metaedit_take_shard(struct metaedit *m, uint64_t *id, struct err *e)
{
    if (*id == 0)
        return change_take_id(&m->shards, m->max_shard, "shard", id, e);
    if (idset_has(&m->shards, *id))
        return err_set(e, -EEXIST, "meta.db: there is a shard %" PRIu64 " already", *id);
    return idset_add(&m->shards, *id) ? 0 : metaedit_no_memory(e);
}

int metaedit_avoid(struct metaedit *m, uint64_t shard)
{
    return idset_add(&m->shards, shard) ? 0 : -ENOMEM;
}

int metaedit_renumber(struct metaedit *m, const struct metaedit_item *shard, uint64_t id,
                      struct err *e)
{
    struct metaedit_node *node = metaedit_node(shard);
    int r = id == shard->id ? 0 : metaedit_take_shard(m, &id, e);
    if (r < 0 || id == shard->id)
        return r;
    idset_drop(&m->shards, node->item.id);
    node->item.id = id;
    metaedit_node_touch(node);
    return 0;
}
