/* SPDX-License-Identifier: MIT */
#include "store/influx/metaedit_internal.h"
#include "store/influx/protowire.h"

#include <errno.h>
#include <string.h>

static uint64_t wire_type(const struct metaedit_field *f)
{
    return f->type < METAEDIT_TEXT ? WIRE_VARINT : WIRE_BYTES;
}

static void print_key(struct buffer *out, const struct metaedit_field *f)
{
    protowire_put_varint(out, (uint64_t)f->number << 3 | wire_type(f));
}

static void print_value(struct buffer *out, const struct metaedit_node *node,
                        const struct metaedit_field *f)
{
    if (f->type == METAEDIT_TEXT) {
        const char *text = *metaedit_text_at((struct metaedit_node *)node, f);
        protowire_put_varint(out, strlen(text));
        buffer_string(out, text);
    } else {
        protowire_put_varint(out, metaedit_get(node, f));
    }
}

/* Whether a field says what the item says. Numbers are compared as the item keeps them, since
 * protobuf ignores the bits that are too many. */
static bool print_is_same(const struct protowire_field *read, const struct metaedit_node *node,
                          const struct metaedit_field *f)
{
    struct metaedit_node other = {0};
    if (f->type == METAEDIT_TEXT) {
        const char *text = *metaedit_text_at((struct metaedit_node *)node, f);
        return strlen(text) == read->body.n &&
               (read->body.n == 0 || memcmp(text, read->body.p, read->body.n) == 0);
    }
    if (node->item.kind == METAEDIT_WHOLE)
        return read->value == metaedit_get(node, f);
    metaedit_set(&other, f, read->value);
    return metaedit_get(&other, f) == metaedit_get(node, f);
}

/* The nodes of a message that are still to be printed. */
struct rest {
    const struct metaedit_node *next;  /* of all */
    const struct metaedit_node *bound; /* the first of them that stands where it was read */
};

static const struct metaedit_node *first_bound(const struct metaedit_node *node)
{
    while (node && !node->bound)
        node = node->after;
    return node;
}

/* A field that was a node when it was read: that node, after the new ones that come before it;
 * nothing if the node is gone or stands elsewhere. */
static void print_read(struct rest *rest, const struct protowire_field *f, struct buffer *out)
{
    if (!rest->bound || rest->bound->all.p != f->all.p)
        return;
    const struct metaedit_node *end = rest->bound->after;
    for (; rest->next != end; rest->next = rest->next->after)
        metaedit_print_node(rest->next, out);
    rest->bound = first_bound(end);
}

static void print_required(const struct metaedit_node *node, struct buffer *out)
{
    size_t n;
    const struct metaedit_field *list = metaedit_fields(node->item.kind, &n);
    for (size_t i = 0; i < n; i++)
        if (list[i].required) {
            print_key(out, &list[i]);
            print_value(out, node, &list[i]);
        }
}

static void print_body(const struct metaedit_node *node, struct buffer *out)
{
    struct bytes in = node->body;
    struct protowire_field f;
    struct rest rest = {node->first, first_bound(node->first)};
    if (node->all.n == 0)
        print_required(node, out);
    while (protowire_next(&in, &f) == 1) {
        const struct metaedit_field *known = metaedit_field(node->item.kind, f.number);
        if (known && known->type == METAEDIT_NODE) {
            print_read(&rest, &f, out);
        } else if (known && !print_is_same(&f, node, known)) {
            buffer_add(out, f.all.p, f.nkey);
            print_value(out, node, known);
        } else {
            buffer_add(out, f.all.p, f.all.n);
        }
    }
    for (; rest.next; rest.next = rest.next->after)
        metaedit_print_node(rest.next, out);
}

/* The number under which a kind stands in what it lies in. */
static void print_node_key(const struct metaedit_node *node, struct buffer *out)
{
    size_t n;
    const struct metaedit_field *list = metaedit_fields(node->up->item.kind, &n);
    if (node->all.n) {
        buffer_add(out, node->all.p, node->nkey);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (list[i].type == METAEDIT_NODE && list[i].at == node->item.kind)
            print_key(out, &list[i]);
}

/* Puts the length of what was appended since `start` before it. */
static void print_length(struct buffer *out, size_t start)
{
    uint8_t length[16];
    const size_t end = out->n;
    protowire_put_varint(out, end - start);
    if (out->failed)
        return;
    const size_t n = out->n - end;
    memcpy(length, out->p + end, n);
    memmove(out->p + start + n, out->p + start, end - start);
    memcpy(out->p + start, length, n);
}

void metaedit_print_node(const struct metaedit_node *node, struct buffer *out)
{
    if (!node->changed) {
        buffer_add(out, node->all.p, node->all.n);
        return;
    }
    print_node_key(node, out);
    const size_t start = out->n;
    print_body(node, out);
    print_length(out, start);
}

int metaedit_print(const struct metaedit *m, void **out, size_t *len, struct err *e)
{
    struct buffer b = {0};
    struct metaedit now = *m;
    if (m->root.changed) {
        now.index++;
        now.max_group = now.groups.top > now.max_group ? now.groups.top : now.max_group;
        now.max_shard = now.shards.top > now.max_shard ? now.shards.top : now.max_shard;
        print_body(&now.root, &b);
    } else {
        buffer_add(&b, m->root.all.p, m->root.all.n);
    }
    int r = b.failed ? err_sys(e, -ENOMEM, "meta.db")
            : b.n > META_DB_MAX
                ? err_set(e, -EFBIG, "meta.db: it would be larger than influxfs reads")
                : 0;
    if (r < 0) {
        buffer_free(&b);
        return r;
    }
    *out = b.p;
    *len = b.n;
    return 0;
}
