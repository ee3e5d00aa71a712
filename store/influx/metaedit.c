/* SPDX-License-Identifier: MIT */
#include "store/influx/metaedit_internal.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* Nodes take a tenth of this in real files. */
#define LIMIT_PER_BYTE 64
#define LIMIT_SLACK ((size_t)64 << 10)

static int metaedit_open_empty(struct metaedit *m, struct err *e)
{
    if (getrandom(&m->cluster, sizeof(m->cluster), 0) != sizeof(m->cluster))
        return err_sys(e, -errno, "random bits for the ClusterID of meta.db");
    m->cluster &= INT64_MAX; /* as influxd's */
    metaedit_node_touch(&m->root);
    return 0;
}

static int metaedit_open_bytes(struct metaedit *m, const void *buf, size_t n, struct err *e)
{
    cleanup(meta_freep) struct meta *judged = NULL;
    int r = meta_parse(buf, n, &judged, e); /* what influxd refuses is refused */
    if (r < 0)
        return r;
    m->root.all = (struct bytes){(uint8_t *)arena_text(&m->arena, buf, n), n};
    m->root.body = m->root.all;
    if (!m->root.all.p)
        return err_sys(e, -ENOMEM, "meta.db");
    m->arena.limit = m->arena.taken + LIMIT_SLACK + n * LIMIT_PER_BYTE;
    r = metaedit_read(m, &m->root);
    if (r == -ENOMEM)
        return err_set(e, r, "meta.db: damaged, or too large for the memory there is");
    if (r < 0)
        return err_set(e, r, "meta.db: damaged, or not written by InfluxDB 1.x");
    m->arena.limit = 0;
    return metaedit_node_use(m, &m->root) ? 0 : err_sys(e, -ENOMEM, "meta.db");
}

int metaedit_open(const void *buf, size_t n, struct metaedit **out, struct err *e)
{
    cleanup(metaedit_freep) struct metaedit *m = calloc(1, sizeof(*m));
    if (!m)
        return err_sys(e, -ENOMEM, "meta.db");
    m->root.item.kind = METAEDIT_WHOLE;
    m->root.item.name = "";
    int r = n ? metaedit_open_bytes(m, buf, n, e) : metaedit_open_empty(m, e);
    if (r == 0)
        *out = steal_ptr(&m);
    return r;
}

void metaedit_free(struct metaedit *m)
{
    if (!m)
        return;
    idset_free(&m->groups);
    idset_free(&m->shards);
    arena_free(&m->arena);
    free(m);
}

static const struct metaedit_item *item_of(const struct metaedit_node *node)
{
    return node ? &node->item : NULL;
}

static const struct metaedit_node *within(const struct metaedit *m, const struct metaedit_item *in)
{
    return in ? metaedit_node(in) : &m->root;
}

const struct metaedit_item *metaedit_first(const struct metaedit *m, const struct metaedit_item *in,
                                           enum metaedit_kind kind)
{
    return item_of(metaedit_node_child(within(m, in), kind));
}

const struct metaedit_item *metaedit_next(const struct metaedit_item *item)
{
    return item_of(metaedit_node_next(metaedit_node(item)));
}

const struct metaedit_item *metaedit_up(const struct metaedit_item *item)
{
    const struct metaedit_node *up = metaedit_node(item)->up;
    return up && up->item.kind != METAEDIT_WHOLE ? &up->item : NULL;
}

const struct metaedit_item *metaedit_find(const struct metaedit *m, const struct metaedit_item *in,
                                          enum metaedit_kind kind, const char *name)
{
    return item_of(metaedit_node_named(within(m, in), kind, name));
}
