/* SPDX-License-Identifier: MIT */
#include "store/points/schema.h"

#include "store/base/array.h"
#include "store/points/schema_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool days_have(const struct days *d, struct day_range r)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].first <= r.first && d->list[i].last >= r.last)
            return true;
    return false;
}

bool days_meet(const struct days *d, struct day_range r)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].first <= r.last && d->list[i].last >= r.first)
            return true;
    return false;
}

int days_add(struct days *d, struct day_range r)
{
    if (days_have(d, r))
        return 0;
    if (!array_grow(&d->list, d->n))
        return -ENOMEM;
    struct day_range *list = d->list;
    size_t i = 0, end;
    while (i < d->n && list[i].last + 1 < r.first)
        i++;
    for (end = i; end < d->n && list[end].first - 1 <= r.last; end++) {
        r.first = list[end].first < r.first ? list[end].first : r.first;
        r.last = list[end].last > r.last ? list[end].last : r.last;
    }
    memmove(&list[i + 1], &list[end], (d->n - end) * sizeof(*list));
    list[i] = r;
    d->n = d->n - (end - i) + 1;
    return 0;
}

void days_clear(struct days *d)
{
    free(d->list);
    *d = (struct days){0};
}

struct schema *schema_new(void)
{
    return calloc(1, sizeof(struct schema));
}

static void free_entry(struct schema_entry *n)
{
    for (size_t i = 0; i < n->m.nfields; i++)
        free((char *)n->m.fields[i].name.p);
    for (size_t i = 0; i < n->m.ntags; i++)
        free((char *)n->m.tags[i].p);
    free(n->m.fields);
    free(n->m.tags);
    days_clear(&n->m.days);
    free(n);
}

void schema_allow(struct schema *o, bool damage)
{
    o->allow_damage = damage;
}

void schema_free(struct schema *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n; i++)
        free_entry(o->list[i]);
    free(o->list);
    free(o);
}

static bool is_before(const void *entry, const void *name)
{
    const struct schema_entry *n = *(struct schema_entry *const *)entry;
    return slice_compare(n->m.name, *(const struct slice *)name) < 0;
}

/* The index of the name, or its insertion point. */
static size_t schema_place(const struct schema *o, struct slice name, bool *found)
{
    size_t i = array_bisect(o->list, o->n, sizeof(struct schema_entry *), &name, is_before);
    *found = i < o->n && slice_compare(o->list[i]->m.name, name) == 0;
    return i;
}

size_t schema_count(const struct schema *o)
{
    return o->n;
}

const struct schema_measurement *schema_at(const struct schema *o, size_t i)
{
    return &o->list[i]->m;
}

const struct schema_measurement *schema_find(const struct schema *o, struct slice name)
{
    bool found;
    size_t i = schema_place(o, name, &found);
    return found ? &o->list[i]->m : NULL;
}

static struct schema_entry *schema_insert(struct schema *o, size_t i, struct slice name)
{
    if (!array_grow(&o->list, o->n))
        return NULL;
    struct schema_entry *n = calloc(1, sizeof(*n) + name.n);
    if (!n)
        return NULL;
    memcpy(n->name, name.p, name.n);
    n->m.name = (struct slice){n->name, name.n};
    memmove(&o->list[i + 1], &o->list[i], (o->n - i) * sizeof(struct schema_entry *));
    o->list[i] = n;
    o->n++;
    return n;
}

struct schema_entry *schema_entry(struct schema *o, struct slice name)
{
    bool found;
    if (o->at < o->n && slice_compare(o->list[o->at]->m.name, name) == 0)
        return o->list[o->at];
    o->at = schema_place(o, name, &found);
    return found ? o->list[o->at] : schema_insert(o, o->at, name);
}

static char *copy(struct slice name)
{
    char *p = malloc(name.n + 1);
    return p ? memcpy(p, name.p, name.n) : NULL;
}

int schema_add_field(struct schema_entry *n, struct slice name, enum value_type type)
{
    for (size_t i = 0; i < n->m.nfields; i++) {
        size_t at = (n->field_at + i) % n->m.nfields;
        if (n->m.fields[at].type == type && slice_compare(n->m.fields[at].name, name) == 0) {
            n->field_at = at;
            return 0;
        }
    }
    char *p = copy(name);
    if (!p || !array_grow(&n->m.fields, n->m.nfields)) {
        free(p);
        return -ENOMEM;
    }
    n->field_at = n->m.nfields++;
    n->m.fields[n->field_at] = (struct schema_field){{p, name.n}, type};
    return 0;
}

int schema_add_tag(struct schema_entry *n, struct slice name)
{
    for (size_t i = 0; i < n->m.ntags; i++)
        if (slice_compare(n->m.tags[i], name) == 0)
            return 0;
    char *p = copy(name);
    if (!p || !array_grow(&n->m.tags, n->m.ntags)) {
        free(p);
        return -ENOMEM;
    }
    n->m.tags[n->m.ntags++] = (struct slice){p, name.n};
    return 0;
}

int schema_add_key(struct schema *o, struct buffer *names, struct slice series, struct slice field,
                   enum value_type type, struct schema_entry **out)
{
    char *text = buffer_reserve(names, series.n);
    struct slice rest, name, value;
    if (!text)
        return -ENOMEM;
    name = serieskey_measurement(series, &rest);
    name = (struct slice){text, serieskey_unescape_measurement(name, text)};
    struct schema_entry *entry = schema_entry(o, name);
    if (!entry)
        return -ENOMEM;
    int r = schema_add_field(entry, field, type);
    while (r == 0 && serieskey_tag(&rest, &name, &value))
        r = schema_add_tag(entry, (struct slice){text, serieskey_unescape(name, text)});
    *out = entry;
    return r;
}

static int schema_add_measurement(struct schema *o, const struct schema_measurement *m)
{
    struct schema_entry *n = schema_entry(o, m->name);
    int r = n ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < m->nfields; i++)
        r = schema_add_field(n, m->fields[i].name, m->fields[i].type);
    for (size_t i = 0; r == 0 && i < m->ntags; i++)
        r = schema_add_tag(n, m->tags[i]);
    for (size_t i = 0; r == 0 && i < m->days.n; i++)
        r = days_add(&n->m.days, m->days.list[i]);
    return r;
}

int schema_add_one(struct schema *o, const struct schema *from, struct slice measurement)
{
    const struct schema_measurement *m = schema_find(from, measurement);
    return m ? schema_add_measurement(o, m) : 0;
}

int schema_add(struct schema *o, const struct schema *from)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < from->n; i++)
        r = schema_add_measurement(o, &from->list[i]->m);
    return r;
}
