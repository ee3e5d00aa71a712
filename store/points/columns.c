/* SPDX-License-Identifier: MIT */
#include "store/points/columns.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The type with the least value wins. */
static const int precedence[VALUE_TYPES] = {
    [VALUE_FLOAT] = 0,  [VALUE_INTEGER] = 1, [VALUE_UNSIGNED] = 2,
    [VALUE_STRING] = 3, [VALUE_BOOLEAN] = 4,
};

/* The order of columns with the same name. */
static int rank(const struct points_column *c)
{
    static const int fields[VALUE_TYPES] = {
        [VALUE_FLOAT] = 0,   [VALUE_INTEGER] = 1,  [VALUE_STRING] = 2,
        [VALUE_BOOLEAN] = 3, [VALUE_UNSIGNED] = 5,
    };
    return c->is_tag ? 4 : fields[c->type];
}

bool columns_fits(enum value_type column, enum value_type value)
{
    return column == value ||
           (column <= VALUE_INTEGER && precedence[value] <= precedence[VALUE_UNSIGNED]);
}

static struct points_column *find(const struct columns *c, struct slice name, bool is_tag)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->list[i].is_tag == is_tag && slice_compare(c->list[i].name, name) == 0)
            return &c->list[i];
    return NULL;
}

/* Takes over name.p if it is new. */
static int columns_add(struct columns *c, const struct points_column *one)
{
    struct points_column *old = find(c, one->name, one->is_tag);
    if (old) {
        if (!one->is_tag && precedence[one->type] < precedence[old->type])
            old->type = one->type;
        return 0;
    }
    char *name = malloc(one->name.n + 1);
    if (!name || !array_grow(&c->list, c->n)) {
        free(name);
        return -ENOMEM;
    }
    memcpy(name, one->name.p, one->name.n);
    c->list[c->n] = *one;
    c->list[c->n++].name.p = name;
    return 0;
}

static int columns_add_all(struct columns *c, const struct schema_measurement *m, bool fields)
{
    int r = 0;
    for (size_t i = 0; fields && r == 0 && i < m->nfields; i++) {
        const struct points_column one = {.name = m->fields[i].name, .type = m->fields[i].type};
        r = columns_add(c, &one);
    }
    for (size_t i = 0; r == 0 && i < m->ntags; i++) {
        const struct points_column one = {.name = m->tags[i], .is_tag = true, .type = VALUE_STRING};
        r = columns_add(c, &one);
    }
    return r;
}

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the columns of a measurement");
}

static int columns_add_shard(struct schema_cache *cache, const struct points_query *q, size_t shard,
                             struct columns *out, struct err *e)
{
    cleanup(schema_freep) struct schema *o = NULL;
    int r = schema_cache_measurement(cache, shard, q->measurement, q->reader, &o, e);
    /* A tsi1 index has the measurements of its shard, the shared index those of the database. */
    bool known = r == 0 && (!shards_at(schema_cache_shards(cache), shard)->tsi1 ||
                            schema_find(o, q->measurement));
    if (known && q->way == POINTS_ANSWER)
        r = schema_cache_live_fields(cache, shard, q->measurement, q->reader, o, e);
    if (r < 0)
        return r;
    const struct schema_measurement *m = schema_find(o, q->measurement);
    return m && columns_add_all(out, m, true) < 0 ? no_memory(e) : 0;
}

/* Without tsi1 a database has one index, so its tags are those of all its shards. */
static int columns_add_shared(struct schema_cache *cache, const struct points_query *q,
                              struct columns *out, struct err *e)
{
    const struct schema *o;
    int r = schema_cache_database(cache, q->db, q->reader, &o, e);
    if (r < 0)
        return r;
    const struct schema_measurement *m = schema_find(o, q->measurement);
    return m && columns_add_all(out, m, false) < 0 ? no_memory(e) : 0;
}

static int by_name(const void *va, const void *vb)
{
    const struct points_column *a = va, *b = vb;
    int c = slice_compare(a->name, b->name);
    return c ? c : rank(a) - rank(b);
}

int columns_of(struct schema_cache *cache, const struct points_query *q, const size_t *shards,
               size_t n, struct columns *out, struct err *e)
{
    bool shared = false;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = columns_add_shard(cache, q, shards[i], out, e);
        shared |= !shards_at(schema_cache_shards(cache), shards[i])->tsi1;
    }
    if (r == 0 && q->way == POINTS_ANSWER && shared && out->n)
        r = columns_add_shared(cache, q, out, e);
    if (out->n)
        qsort(out->list, out->n, sizeof(*out->list), by_name);
    return r;
}

static bool is_before(const void *column, const void *name)
{
    return slice_compare(((const struct points_column *)column)->name,
                         *(const struct slice *)name) < 0;
}

size_t columns_find(const struct columns *c, struct slice name, bool is_tag)
{
    size_t i = array_bisect(c->list, c->n, sizeof(*c->list), &name, is_before);
    for (; i < c->n && slice_compare(c->list[i].name, name) == 0; i++)
        if (c->list[i].is_tag == is_tag)
            return i;
    return c->n;
}

void columns_clear(struct columns *c)
{
    for (size_t i = 0; i < c->n; i++)
        free((char *)c->list[i].name.p);
    free(c->list);
    *c = (struct columns){0};
}
