/* SPDX-License-Identifier: MIT */
/* Nodes of a meta.db and what they are made of, by kind (meta.proto). */
#include "store/influx/metaedit_internal.h"

#include <string.h>

#define ITEM(field) offsetof(struct metaedit_item, field)
#define HEAD(field) offsetof(struct metaedit, field)

static const struct metaedit_field of_whole[] = {
    {1, METAEDIT_U64, HEAD(term), true},      {2, METAEDIT_U64, HEAD(index), true},
    {3, METAEDIT_U64, HEAD(cluster), true},   {5, METAEDIT_NODE, METAEDIT_DATABASE, false},
    {6, METAEDIT_NODE, METAEDIT_USER, false}, {7, METAEDIT_U64, HEAD(max_node), true},
    {8, METAEDIT_U64, HEAD(max_group), true}, {9, METAEDIT_U64, HEAD(max_shard), true},
};
static const struct metaedit_field of_database[] = {
    {1, METAEDIT_TEXT, ITEM(name), true},
    {2, METAEDIT_TEXT, ITEM(default_policy), true},
    {3, METAEDIT_NODE, METAEDIT_POLICY, false},
    {4, METAEDIT_NODE, METAEDIT_QUERY, false},
};
static const struct metaedit_field of_policy[] = {
    {1, METAEDIT_TEXT, ITEM(name), true},
    {2, METAEDIT_I64, ITEM(rules.duration), true},
    {3, METAEDIT_I64, ITEM(rules.shard_duration), true},
    {4, METAEDIT_U32, ITEM(rules.replicas), true},
    {5, METAEDIT_NODE, METAEDIT_GROUP, false},
    {6, METAEDIT_NODE, METAEDIT_SUBSCRIPTION, false},
};
static const struct metaedit_field of_group[] = {
    {1, METAEDIT_U64, ITEM(id), true},         {2, METAEDIT_I64, ITEM(start), true},
    {3, METAEDIT_I64, ITEM(end), true},        {4, METAEDIT_I64, ITEM(deleted), true},
    {5, METAEDIT_NODE, METAEDIT_SHARD, false}, {6, METAEDIT_I64, ITEM(truncated), false},
};
static const struct metaedit_field of_shard[] = {
    {1, METAEDIT_U64, ITEM(id), true},
};
static const struct metaedit_field of_subscription[] = {
    {1, METAEDIT_TEXT, ITEM(name), false},
    {2, METAEDIT_TEXT, ITEM(text), false},
    {3, METAEDIT_NODE, METAEDIT_DESTINATION, false},
};
static const struct metaedit_field of_query[] = {
    {1, METAEDIT_TEXT, ITEM(name), true},
    {2, METAEDIT_TEXT, ITEM(text), true},
};
static const struct metaedit_field of_user[] = {
    {1, METAEDIT_TEXT, ITEM(name), true},
    {2, METAEDIT_TEXT, ITEM(text), true},
    {3, METAEDIT_BOOL, ITEM(admin), true},
    {4, METAEDIT_NODE, METAEDIT_GRANT, false},
};
static const struct metaedit_field of_grant[] = {
    {1, METAEDIT_TEXT, ITEM(name), true},
    {2, METAEDIT_I32, ITEM(privilege), true},
};

#define FIELDS(list)                                                                               \
    {                                                                                              \
        (list), sizeof(list) / sizeof((list)[0])                                                   \
    }

const struct metaedit_field *metaedit_fields(enum metaedit_kind kind, size_t *n)
{
    /* A destination is no message, but a text. */
    static const struct {
        const struct metaedit_field *list;
        size_t n;
    } kinds[] = {
        [METAEDIT_DATABASE] = FIELDS(of_database),
        [METAEDIT_POLICY] = FIELDS(of_policy),
        [METAEDIT_GROUP] = FIELDS(of_group),
        [METAEDIT_SHARD] = FIELDS(of_shard),
        [METAEDIT_QUERY] = FIELDS(of_query),
        [METAEDIT_SUBSCRIPTION] = FIELDS(of_subscription),
        [METAEDIT_USER] = FIELDS(of_user),
        [METAEDIT_GRANT] = FIELDS(of_grant),
        [METAEDIT_DESTINATION] = {NULL, 0},
        [METAEDIT_WHOLE] = FIELDS(of_whole),
    };
    *n = kinds[kind].n;
    return kinds[kind].list;
}

const struct metaedit_field *metaedit_field(enum metaedit_kind kind, uint64_t number)
{
    size_t n;
    const struct metaedit_field *list = metaedit_fields(kind, &n);
    for (size_t i = 0; i < n; i++)
        if (list[i].number == number)
            return &list[i];
    return NULL;
}

void metaedit_set(struct metaedit_node *node, const struct metaedit_field *f, uint64_t value)
{
    void *at = (char *)node + f->at;
    switch (f->type) {
    case METAEDIT_U32:
        *(uint32_t *)at = (uint32_t)value;
        break;
    case METAEDIT_I32:
        *(int *)at = (int)value;
        break;
    case METAEDIT_BOOL:
        *(bool *)at = value;
        break;
    default: /* signed or not, the bits are the same */
        memcpy(at, &value, sizeof(value));
    }
}

uint64_t metaedit_get(const struct metaedit_node *node, const struct metaedit_field *f)
{
    const void *at = (const char *)node + f->at;
    uint64_t value;
    switch (f->type) {
    case METAEDIT_U32:
        return *(const uint32_t *)at;
    case METAEDIT_I32:
        return (uint64_t)(int64_t) * (const int *)at;
    case METAEDIT_BOOL:
        return *(const bool *)at;
    default:
        memcpy(&value, at, sizeof(value));
        return value;
    }
}

const char **metaedit_text_at(struct metaedit_node *node, const struct metaedit_field *f)
{
    return (const char **)(void *)((char *)node + f->at);
}

struct metaedit_node *metaedit_node_new(struct metaedit *m, enum metaedit_kind kind)
{
    struct metaedit_node *node = arena_take(&m->arena, sizeof(*node));
    size_t n;
    const struct metaedit_field *list = metaedit_fields(kind, &n);
    if (!node)
        return NULL;
    node->item.kind = kind;
    node->item.name = "";
    for (size_t i = 0; i < n; i++)
        if (list[i].type == METAEDIT_TEXT)
            *metaedit_text_at(node, &list[i]) = "";
    return node;
}

void metaedit_node_touch(struct metaedit_node *node)
{
    for (; node && !node->changed; node = node->up)
        node->changed = true;
}

void metaedit_node_link(struct metaedit_node *node, struct metaedit_node *up,
                        struct metaedit_node *after)
{
    node->up = up;
    node->before = after;
    node->after = after ? after->after : up->first;
    *(node->before ? &node->before->after : &up->first) = node;
    *(node->after ? &node->after->before : &up->last) = node;
}

void metaedit_node_unlink(struct metaedit_node *node)
{
    *(node->before ? &node->before->after : &node->up->first) = node->after;
    *(node->after ? &node->after->before : &node->up->last) = node->before;
    metaedit_node_touch(node->up);
    node->before = node->after = node->up = NULL;
    node->bound = false;
}

/* When the group takes no more points. */
static int64_t group_end(const struct metaedit_item *group)
{
    return group->truncated ? group->truncated : group->end;
}

/* influxd keeps groups by end, then by start (data.go, ShardGroupInfos). */
static bool group_is_before(const struct metaedit_item *a, const struct metaedit_item *b)
{
    const int64_t enda = group_end(a), endb = group_end(b);
    return enda != endb ? enda < endb : a->start < b->start;
}

void metaedit_node_place(struct metaedit_node *node, struct metaedit_node *up)
{
    const enum metaedit_kind kind = node->item.kind;
    struct metaedit_node *at = up->last, *first = NULL;
    for (; at; at = at->before) {
        if (at->item.kind != kind)
            continue;
        if (kind != METAEDIT_GROUP || !group_is_before(&node->item, &at->item))
            break;
        first = at;
    }
    metaedit_node_link(node, up, at ? at : first ? first->before : up->last);
    metaedit_node_touch(up);
}

static struct metaedit_node *of_kind(struct metaedit_node *node, enum metaedit_kind kind)
{
    while (node && node->item.kind != kind)
        node = node->after;
    return node;
}

struct metaedit_node *metaedit_node_child(const struct metaedit_node *up, enum metaedit_kind kind)
{
    return of_kind(up->first, kind);
}

struct metaedit_node *metaedit_node_next(const struct metaedit_node *node)
{
    return of_kind(node->after, node->item.kind);
}

struct metaedit_node *metaedit_node_named(const struct metaedit_node *up, enum metaedit_kind kind,
                                          const char *name)
{
    struct metaedit_node *node = metaedit_node_child(up, kind);
    while (node && strcmp(node->item.name, name) != 0)
        node = metaedit_node_next(node);
    return node;
}

bool metaedit_node_text(struct metaedit *m, const char **field, const char *text)
{
    const char *copy = arena_text(&m->arena, text, strlen(text));
    if (copy)
        *field = copy;
    return copy;
}

void metaedit_node_defaults(struct metaedit_node *database)
{
    struct metaedit_node *p = metaedit_node_child(database, METAEDIT_POLICY);
    for (; p; p = metaedit_node_next(p))
        p->item.rules.is_default = strcmp(p->item.name, database->item.default_policy) == 0;
}

bool metaedit_node_use(struct metaedit *m, const struct metaedit_node *node)
{
    if (node->item.kind == METAEDIT_SHARD)
        return idset_add(&m->shards, node->item.id);
    if (node->item.kind == METAEDIT_GROUP && !idset_add(&m->groups, node->item.id))
        return false;
    for (const struct metaedit_node *child = node->first; child; child = child->after)
        if (!metaedit_node_use(m, child))
            return false;
    return true;
}
