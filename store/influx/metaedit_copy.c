/* SPDX-License-Identifier: MIT */
/* Databases, policies and groups of another meta.db. */
#include "store/base/array.h"
#include "store/base/utf8.h"
#include "store/influx/cqrename.h"
#include "store/influx/metaedit_internal.h"
#include "store/influx/names.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

void metaedit_copied_clear(struct metaedit_copied *c)
{
    free(c->shards);
    free(c->queries);
    *c = (struct metaedit_copied){0};
}

/* ---- ids ---- */

static int copy_shard(struct metaedit *m, struct metaedit_node *shard, const char *rp,
                      struct metaedit_copied *out, struct err *e)
{
    const uint64_t was = shard->item.id;
    uint64_t id = idset_has(&m->shards, was) ? 0 : was;
    int r = metaedit_take_shard(m, &id, e);
    if (r < 0)
        return r;
    if (id != was) {
        shard->item.id = id;
        metaedit_node_touch(shard);
    }
    if (!array_grow(&out->shards, out->nshards))
        return metaedit_no_memory(e);
    out->shards[out->nshards++] = (struct metaedit_moved){rp, was, id};
    return 0;
}

/* Gives a group and its shards, which are in the tree already, ids that are free. */
static int copy_ids(struct metaedit *m, struct metaedit_node *group, struct metaedit_copied *out,
                    struct err *e)
{
    struct metaedit_node *shard = metaedit_node_child(group, METAEDIT_SHARD);
    int r = 0;
    if (idset_has(&m->groups, group->item.id)) {
        r = metaedit_take_group(m, &group->item.id, e);
        metaedit_node_touch(group);
    } else if (!idset_add(&m->groups, group->item.id)) {
        return metaedit_no_memory(e);
    }
    for (; r == 0 && shard; shard = metaedit_node_next(shard))
        r = copy_shard(m, shard, group->up->item.name, out, e);
    return r;
}

static int by_old_id(const void *va, const void *vb)
{
    const struct metaedit_moved *a = va, *b = vb;
    return (a->from > b->from) - (a->from < b->from);
}

/* Sorts those that were appended since there were `before`, all of one policy. */
static int copy_sort(struct metaedit_copied *out, size_t before, struct err *e)
{
    const size_t n = out->nshards - before;
    if (n < 2)
        return 0;
    struct metaedit_moved *list = out->shards + before;
    qsort(list, n, sizeof(*list), by_old_id);
    for (size_t i = 1; i < n; i++)
        if (list[i].from == list[i - 1].from)
            return err_set(e, -EBADMSG, "meta.db: shard %" PRIu64 " of policy %s is in two groups",
                           list[i].from, list[i].rp);
    return 0;
}

/* ---- a policy ---- */

static int copy_groups(struct metaedit *m, struct metaedit_node *policy,
                       struct metaedit_copied *out, struct err *e)
{
    struct metaedit_node *group = metaedit_node_child(policy, METAEDIT_GROUP), *next;
    const size_t before = out->nshards;
    int r = 0;
    for (; r == 0 && group; group = next) {
        next = metaedit_node_next(group);
        if (group->item.deleted || !metaedit_node_child(group, METAEDIT_SHARD))
            metaedit_node_unlink(group);
        else
            r = copy_ids(m, group, out, e);
    }
    return r < 0 ? r : copy_sort(out, before, e);
}

static void copy_no_subscriptions(struct metaedit_node *policy, struct metaedit_copied *out)
{
    struct metaedit_node *s;
    while ((s = metaedit_node_child(policy, METAEDIT_SUBSCRIPTION))) {
        metaedit_node_unlink(s);
        out->subscriptions++;
    }
}

/* ---- what names the database ---- */

/* to: NULL if it comes along as it is. */
static int copy_query(struct metaedit *m, struct metaedit_node *query, const char *from,
                      const char *to, struct metaedit_copied *out)
{
    struct metaedit_query q = {query->item.name, METAEDIT_SAME, ""};
    struct buffer text = {0};
    struct err why = {""};
    int r = to ? cqrename(query->item.text, from, to, &text, &why) : 0;
    if (r == 1 && strcmp(from, to) == 0) {
        r = 0;
    } else if (r == 1) {
        buffer_add(&text, "", 1);
        q.fate = METAEDIT_REWRITTEN;
        r = !text.failed && metaedit_node_text(m, &query->item.text, text.p) ? 0 : -ENOMEM;
        metaedit_node_touch(query);
    } else if (r == 0 && why.text[0]) {
        q.fate = METAEDIT_LEFT_OUT;
        r = metaedit_node_text(m, &q.why, why.text) ? 0 : -ENOMEM;
        metaedit_node_unlink(query);
    }
    buffer_free(&text);
    if (r < 0 || !array_grow(&out->queries, out->nqueries))
        return -ENOMEM;
    out->queries[out->nqueries++] = q;
    return 0;
}

static int copy_queries(struct metaedit *m, struct metaedit_node *database, const char *from,
                        const char *to, struct metaedit_copied *out, struct err *e)
{
    struct metaedit_node *query = metaedit_node_child(database, METAEDIT_QUERY), *next;
    int r = 0;
    for (; r == 0 && query; query = next) {
        next = metaedit_node_next(query);
        r = copy_query(m, query, from, to, out);
    }
    return r < 0 ? metaedit_no_memory(e) : 0;
}

/* The users who are here, by name: there may be as many there. */
struct users {
    const struct metaedit_node **list;
    size_t n;
};

static int by_user(const void *va, const void *vb)
{
    const struct metaedit_node *const *a = va, *const *b = vb;
    return strcmp((*a)->item.name, (*b)->item.name);
}

static int copy_list_users(const struct metaedit *m, struct users *out)
{
    const struct metaedit_node *user = metaedit_node_child(&m->root, METAEDIT_USER);
    for (; user; user = metaedit_node_next(user)) {
        if (!array_grow(&out->list, out->n))
            return -ENOMEM;
        out->list[out->n++] = user;
    }
    if (out->n)
        qsort(out->list, out->n, sizeof(*out->list), by_user);
    return 0;
}

static const struct metaedit_node *user_here(const struct users *users,
                                             const struct metaedit_node *user)
{
    const struct metaedit_node **found =
        users->n ? bsearch(&user, users->list, users->n, sizeof(*users->list), by_user) : NULL;
    return found ? *found : NULL;
}

/* The grant of a user on a database; NULL: none, or it gives nothing. */
static const struct metaedit_node *copy_find_grant(const struct metaedit_node *user, const char *db)
{
    const struct metaedit_node *grant = metaedit_node_named(user, METAEDIT_GRANT, db);
    return grant && grant->item.privilege ? grant : NULL;
}

/* Users who are here get what they have there. */
static int copy_grants(struct metaedit *m, const struct metaedit *from, const char *db,
                       const char *as, struct metaedit_copied *out, struct err *e)
{
    const struct metaedit_node *user = metaedit_node_child(&from->root, METAEDIT_USER);
    struct users users = {0};
    int r = copy_list_users(m, &users) < 0 ? metaedit_no_memory(e) : 0;
    for (; r == 0 && user; user = metaedit_node_next(user)) {
        const struct metaedit_node *grant = copy_find_grant(user, db), *own;
        if (!grant || !(own = user_here(&users, user)))
            continue;
        out->granted++;
        r = metaedit_grant(m, &own->item, as, grant->item.privilege, e);
    }
    free(users.list);
    return r;
}

int metaedit_compare_grants(const struct metaedit *m, const struct metaedit *from, const char *db,
                            const char *here, struct metaedit_holder **out, size_t *n,
                            struct err *e)
{
    const struct metaedit_node *user = metaedit_node_child(&from->root, METAEDIT_USER);
    struct users users = {0};
    struct metaedit_holder *list = NULL;
    size_t count = 0;
    int r = copy_list_users(m, &users) < 0 ? metaedit_no_memory(e) : 0;
    for (; r == 0 && user; user = metaedit_node_next(user)) {
        const struct metaedit_node *there = copy_find_grant(user, db),
                                   *own = user_here(&users, user),
                                   *has = own ? copy_find_grant(own, here) : NULL;
        const int had = has ? has->item.privilege : 0;
        if (!there || (had | there->item.privilege) == had)
            continue;
        if (!array_grow(&list, count))
            r = metaedit_no_memory(e);
        else
            list[count++] = (struct metaedit_holder){user->item.name, there->item.privilege, own};
    }
    free(users.list);
    if (r < 0) {
        free(list);
        return r;
    }
    *out = list;
    *n = count;
    return 0;
}

/* ---- the three that are copied ---- */

/* A name as influxd takes it (data.go, ValidName), that is a folder's and no other's. */
static bool copy_is_name(const char *name)
{
    const size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        name_is_hidden(name) || strpbrk(name, "/\\"))
        return false;
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_character(name + i, len - i);
        const uint32_t code = n ? utf8_code(name + i, n) : 0;
        if (code < 0x20 || (code >= 0x7f && code < 0xa0))
            return false;
    }
    return true;
}

static int copy_into(struct metaedit *m, const struct metaedit_item *item, struct metaedit_node *up,
                     struct metaedit_node **out, struct err *e)
{
    int r = metaedit_read_copy(m, metaedit_node(item), out);
    if (r == 0)
        metaedit_node_place(*out, up);
    return r == -ENOMEM ? metaedit_no_memory(e) : r < 0 ? err_sys(e, r, "meta.db") : 0;
}

static int copy_database(struct metaedit *m, const struct metaedit *from,
                         const struct metaedit_item *database, const char *as,
                         struct metaedit_copied *out, struct err *e)
{
    struct metaedit_node *node = NULL, *policy;
    int r = copy_into(m, database, &m->root, &node, e);
    if (r < 0)
        return r;
    if (as && !metaedit_node_text(m, &node->item.name, as))
        return metaedit_no_memory(e);
    if (as)
        metaedit_node_touch(node);
    policy = metaedit_node_child(node, METAEDIT_POLICY);
    for (; r == 0 && policy; policy = metaedit_node_next(policy)) {
        r = copy_groups(m, policy, out, e);
        if (as)
            copy_no_subscriptions(policy, out);
    }
    if (r == 0)
        r = copy_queries(m, node, database->name, as, out, e);
    return r == 0 && as ? copy_grants(m, from, database->name, as, out, e) : r;
}

int metaedit_copy_database(struct metaedit *m, const struct metaedit *from,
                           const struct metaedit_item *database, const char *as,
                           struct metaedit_copied *out, struct err *e)
{
    struct metaedit_copied copied = {0};
    const char *name = as ? as : database->name;
    if (strcmp(name, database->name) != 0 && !copy_is_name(name))
        return err_set(e, -EINVAL, "\"%s\" cannot be the name of a database", name);
    if (metaedit_node_named(&m->root, METAEDIT_DATABASE, name))
        return err_set(e, -EEXIST, "meta.db: there is a database %s already", name);
    int r = copy_database(m, from, database, as, &copied, e);
    if (r == 0 && out)
        *out = copied;
    else
        metaedit_copied_clear(&copied);
    return r;
}

int metaedit_copy_policy(struct metaedit *m, const struct metaedit_item *policy,
                         const struct metaedit_item *database, struct metaedit_copied *out,
                         struct err *e)
{
    struct metaedit_node *up = metaedit_node(database), *node = NULL;
    const struct metaedit_item *there = metaedit_up(policy);
    if (metaedit_node_named(up, METAEDIT_POLICY, policy->name))
        return err_set(e, -EEXIST, "meta.db: %s has a retention policy %s already", database->name,
                       policy->name);
    int r = copy_into(m, policy, up, &node, e);
    if (r == 0)
        r = copy_groups(m, node, out, e);
    if (r < 0)
        return r;
    if (strcmp(there->name, database->name) != 0)
        copy_no_subscriptions(node, out);
    if (!*up->item.default_policy) {
        up->item.default_policy = node->item.name;
        metaedit_node_touch(up);
    }
    metaedit_node_defaults(up);
    return 0;
}

int metaedit_copy_group(struct metaedit *m, const struct metaedit_item *group,
                        const struct metaedit_item *policy, struct metaedit_copied *out,
                        const struct metaedit_item **made, struct err *e)
{
    struct metaedit_node *node = NULL;
    const size_t before = out->nshards;
    if (group->deleted || !metaedit_node_child(metaedit_node(group), METAEDIT_SHARD))
        return err_set(e, -EINVAL, "meta.db: group %" PRIu64 " is deleted or has no shard",
                       group->id);
    int r = copy_into(m, group, metaedit_node(policy), &node, e);
    if (r == 0)
        r = copy_ids(m, node, out, e);
    if (r == 0)
        r = copy_sort(out, before, e);
    if (r == 0)
        *made = &node->item;
    return r;
}
