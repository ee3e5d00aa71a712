/* SPDX-License-Identifier: MIT */
#include "store/influx/metaedit_internal.h"
#include "store/influx/protowire.h"

#include <errno.h>
#include <string.h>

static int read_text(struct metaedit *m, const char **out, struct bytes text)
{
    if (text.n && memchr(text.p, '\0', text.n))
        return -EBADMSG;
    *out = arena_text(&m->arena, text.p, text.n);
    return *out ? 0 : -ENOMEM;
}

static int read_node(struct metaedit *m, struct metaedit_node *node,
                     const struct protowire_field *f)
{
    node->all = f->all;
    node->body = f->body;
    node->nkey = f->nkey;
    return node->item.kind == METAEDIT_DESTINATION ? read_text(m, &node->item.name, f->body)
                                                   : metaedit_read(m, node);
}

static int read_child(struct metaedit *m, struct metaedit_node *up, enum metaedit_kind kind,
                      const struct protowire_field *f)
{
    struct metaedit_node *node = metaedit_node_new(m, kind);
    if (!node)
        return -ENOMEM;
    node->bound = true;
    metaedit_node_link(node, up, up->last);
    return read_node(m, node, f);
}

int metaedit_read(struct metaedit *m, struct metaedit_node *node)
{
    struct bytes in = node->body;
    struct protowire_field f;
    int r;
    while ((r = protowire_next(&in, &f)) == 1) {
        const struct metaedit_field *known = metaedit_field(node->item.kind, f.number);
        if (!known)
            continue;
        const bool number = known->type < METAEDIT_TEXT;
        if (f.type != (number ? WIRE_VARINT : WIRE_BYTES))
            return -EBADMSG;
        if (number)
            metaedit_set(node, known, f.value);
        else if (known->type == METAEDIT_TEXT)
            r = read_text(m, metaedit_text_at(node, known), f.body);
        else
            r = read_child(m, node, (enum metaedit_kind)known->at, &f);
        if (r < 0)
            return r;
    }
    if (r == 0 && node->item.kind == METAEDIT_DATABASE)
        metaedit_node_defaults(node);
    return r;
}

int metaedit_read_copy(struct metaedit *m, const struct metaedit_node *from,
                       struct metaedit_node **out)
{
    struct buffer b = {0};
    struct protowire_field f;
    metaedit_print_node(from, &b);
    struct bytes in = {b.failed ? NULL : arena_take(&m->arena, b.n), b.n};
    struct metaedit_node *node = metaedit_node_new(m, from->item.kind);
    int r = in.p && node ? 0 : -ENOMEM;
    if (r == 0) {
        memcpy((void *)in.p, b.p, b.n);
        r = protowire_next(&in, &f) == 1 ? read_node(m, node, &f) : -EBADMSG;
    }
    buffer_free(&b);
    if (r == 0)
        *out = node;
    return r;
}
