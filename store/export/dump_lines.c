/* SPDX-License-Identifier: MIT */
/* Points as line protocol, which influxd takes at /write. */
#include "store/export/dump_internal.h"

#include <string.h>

/* With a backslash before each of the characters. */
static void escaped(struct gotext *o, struct slice s, const char *which)
{
    size_t start = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!s.p[i] || !strchr(which, s.p[i]))
            continue;
        gotext_add(o, s.p + start, i - start);
        gotext_add(o, "\\", 1);
        start = i;
    }
    gotext_add(o, s.p + start, s.n - start);
}

void dump_lines_name(struct gotext *o, struct slice name)
{
    escaped(o, name, ",\" =");
    gotext_add(o, "=", 1);
}

static void value(struct gotext *o, const struct points_cell *c)
{
    switch (c->type) {
    case VALUE_FLOAT:
        gotext_float_json(o, c->value.f);
        break;
    case VALUE_INTEGER:
        gotext_integer(o, c->value.i);
        gotext_add(o, "i", 1);
        break;
    case VALUE_UNSIGNED:
        gotext_unsigned(o, c->value.u);
        gotext_add(o, "u", 1);
        break;
    case VALUE_BOOLEAN:
        gotext_text(o, c->value.b ? "true" : "false");
        break;
    default:
        gotext_add(o, "\"", 1);
        escaped(o, points_text(c), "\"\\");
        gotext_add(o, "\"", 1);
    }
}

/* The key of a series is written as it is stored: line protocol has the same escapes. */
void dump_lines_row(struct dump *d, const struct points_row *row)
{
    struct gotext *o = &d->text;
    const size_t n = points_columns(d->points);
    char separator = ' ';
    gotext_add(o, row->series.p, row->series.n);
    for (size_t i = 0; i < n; i++) {
        if (!row->cells[i].present || points_column(d->points, i)->is_tag)
            continue;
        gotext_add(o, &separator, 1);
        separator = ',';
        gotext_add(o, d->names[i].p, d->names[i].n);
        value(o, &row->cells[i]);
    }
    gotext_add(o, " ", 1);
    gotext_integer(o, row->time);
    gotext_add(o, "\n", 1);
}
