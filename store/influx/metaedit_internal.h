/* SPDX-License-Identifier: MIT */
/*
 * The tree of a meta.db, for the files of metaedit. A node is a message that has a kind; fields that
 * have none stay bytes. A node that has not changed is printed as the bytes that were read; one that
 * has, field by field: those that the table of its kind names (metaedit_fields) from the item, the
 * others as they were read, the nodes in it where they stood.
 *
 * Calls go down: metaedit, metaedit_copy; metaedit_add; metaedit_change; metaedit_read;
 * metaedit_print; metaedit_node.
 */
#ifndef INFLUXFS_INFLUX_METAEDIT_INTERNAL_H
#define INFLUXFS_INFLUX_METAEDIT_INTERNAL_H

#include "store/base/arena.h"
#include "store/base/buffer.h"
#include "store/base/idset.h"
#include "store/influx/bytes.h"
#include "store/influx/metaedit.h"

#define METAEDIT_WHOLE ((enum metaedit_kind)(METAEDIT_GRANT + 1)) /* of the root */

struct metaedit_node {
    struct metaedit_item item; /* the first member: a node is known by its item */
    struct metaedit_node *up, *first, *last, *before, *after;
    struct bytes all;  /* the field as it was read, in the arena; empty: a new one */
    struct bytes body; /* the message in it */
    size_t nkey;       /* bytes of its number and type, within `all` */
    bool bound;        /* its place among the fields of `up` is where `all` was read */
    bool changed;      /* it or a node in it; then so are all above it */
};

struct metaedit {
    struct metaedit_node root; /* the first member, as it is the node of these numbers: */
    uint64_t term, index, cluster, max_node, max_group, max_shard;
    struct idset groups, shards; /* ids that are used */
    struct arena arena;          /* of all nodes, names and bytes */
};

/* ---- metaedit_node.c ---- */

/* How a field of a kind is kept: as a number or text at an offset of the node, or as a node. */
struct metaedit_field {
    uint8_t number; /* on the wire */
    enum metaedit_type {
        METAEDIT_U64,
        METAEDIT_I64,
        METAEDIT_U32,
        METAEDIT_I32,
        METAEDIT_BOOL,
        METAEDIT_TEXT,
        METAEDIT_NODE
    } type;
    size_t at; /* the offset, or the enum metaedit_kind of a node */
    bool required;
};
const struct metaedit_field *metaedit_fields(enum metaedit_kind kind, size_t *n);

/* The field of this number; NULL. */
const struct metaedit_field *metaedit_field(enum metaedit_kind kind, uint64_t number);

/* A varint as the value of a field, and the value of a field of a node as a varint. */
void metaedit_set(struct metaedit_node *node, const struct metaedit_field *f, uint64_t value);
uint64_t metaedit_get(const struct metaedit_node *node, const struct metaedit_field *f);
const char **metaedit_text_at(struct metaedit_node *node, const struct metaedit_field *f);

static inline struct metaedit_node *metaedit_node(const struct metaedit_item *item)
{
    return (struct metaedit_node *)item;
}

/* A node that lies nowhere; NULL: out of memory. */
struct metaedit_node *metaedit_node_new(struct metaedit *m, enum metaedit_kind kind);

/* Puts a node into another one: after a child of it, NULL: as the first. */
void metaedit_node_link(struct metaedit_node *node, struct metaedit_node *up,
                        struct metaedit_node *after);
void metaedit_node_unlink(struct metaedit_node *node);

/* The same, as a change. A group is put in its place among groups, any other node after the last of
 * its kind, or at the end. */
void metaedit_node_place(struct metaedit_node *node, struct metaedit_node *up);

/* Marks it, and those above it, as changed. */
void metaedit_node_touch(struct metaedit_node *node);

/* The first child of a kind, and the next sibling of the same; NULL. */
struct metaedit_node *metaedit_node_child(const struct metaedit_node *up, enum metaedit_kind kind);
struct metaedit_node *metaedit_node_next(const struct metaedit_node *node);
struct metaedit_node *metaedit_node_named(const struct metaedit_node *up, enum metaedit_kind kind,
                                          const char *name);

/* Gives a text to a field of an item; false: out of memory. */
bool metaedit_node_text(struct metaedit *m, const char **field, const char *text);

/* Says of each policy whether it is the default one of its database. */
void metaedit_node_defaults(struct metaedit_node *database);

/* Counts the ids of the groups and shards in a node among the used ones; false: out of memory. */
bool metaedit_node_use(struct metaedit *m, const struct metaedit_node *node);

/* ---- metaedit_print.c ---- */

/* Appends a node as a field of what it lies in. */
void metaedit_print_node(const struct metaedit_node *node, struct buffer *out);

/* ---- metaedit_read.c ---- */

/* Reads node->body, and makes nodes of what is in it. -EBADMSG, -ENOMEM. */
int metaedit_read(struct metaedit *m, struct metaedit_node *node);

/* A copy of a node of this or another meta.db, which lies nowhere and whose ids are not yet used.
 * -ENOMEM. */
int metaedit_read_copy(struct metaedit *m, const struct metaedit_node *from,
                       struct metaedit_node **out);

/* ---- metaedit_change.c ---- */

/* Takes a node out; its ids are free then. */
void metaedit_drop(struct metaedit *m, struct metaedit_node *node);

/* Takes an id that nothing has: the one after the highest; -EBADMSG if that is the last one there is.
 * A shard's may be asked for by *id, if that is not 0; -EEXIST. */
int metaedit_take_group(struct metaedit *m, uint64_t *id, struct err *e);
int metaedit_take_shard(struct metaedit *m, uint64_t *id, struct err *e);

/* -ENOMEM with its message. */
int metaedit_no_memory(struct err *e);

#endif
