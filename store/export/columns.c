/* SPDX-License-Identifier: MIT */
#include "store/export/columns.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Which type wins: the least. */
static const int precedence[VALUE_TYPES] = {
    [VALUE_FLOAT] = 0,  [VALUE_INTEGER] = 1, [VALUE_UNSIGNED] = 2,
    [VALUE_STRING] = 3, [VALUE_BOOLEAN] = 4,
};

/* Where columns of the same name stand. */
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
static int add(struct columns *c, const struct points_column *one)
{
    struct points_column *old = find(c, one->name, one->is_tag);
    if (old) {
        if (!one->is_tag && precedence[one->type] < precedence[old->type])
            old->type = one->type;
        return 0;
    }
    struct points_column *list = realloc(c->list, (c->n + 1) * sizeof(*list));
    char *name = malloc(one->name.n + 1);
    c->list = list ? list : c->list;
    if (!list || !name) {
        free(name);
        return -ENOMEM;
    }
    memcpy(name, one->name.p, one->name.n);
    list[c->n] = *one;
    list[c->n++].name.p = name;
    return 0;
}

static int add_tags(struct columns *c, struct slice series)
{
    struct slice rest, name, value;
    autofree char *plain = malloc(series.n + 1);
    if (!plain)
        return -ENOMEM;
    serieskey_measurement(series, &rest);
    while (serieskey_tag(&rest, &name, &value)) {
        struct points_column one = {.is_tag = true, .type = VALUE_STRING};
        one.name = (struct slice){plain, serieskey_unescape(name, plain)};
        if (add(c, &one) < 0)
            return -ENOMEM;
    }
    return 0;
}

int columns_add(struct columns *c, struct table *t, bool fields)
{
    struct slice series = {NULL, 0};
    for (size_t i = 0; i < table_count(t); i++) {
        const struct table_field *f = table_at(t, i);
        struct points_column one = {.name = f->name, .type = f->cursor.type};
        if (fields && add(c, &one) < 0)
            return -ENOMEM;
        bool same = series.p && slice_compare(series, f->series) == 0;
        if (!same && add_tags(c, f->series) < 0)
            return -ENOMEM;
        series = f->series;
    }
    return 0;
}

static int by_name(const void *va, const void *vb)
{
    const struct points_column *a = va, *b = vb;
    int c = slice_compare(a->name, b->name);
    return c ? c : rank(a) - rank(b);
}

void columns_sort(struct columns *c)
{
    if (c->n)
        qsort(c->list, c->n, sizeof(*c->list), by_name);
}

size_t columns_find(const struct columns *c, struct slice name, bool is_tag)
{
    const struct points_column *p = find(c, name, is_tag);
    return p ? (size_t)(p - c->list) : c->n;
}

void columns_clear(struct columns *c)
{
    for (size_t i = 0; i < c->n; i++)
        free((char *)c->list[i].name.p);
    free(c->list);
    *c = (struct columns){0};
}
