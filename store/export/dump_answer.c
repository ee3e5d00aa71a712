/* SPDX-License-Identifier: MIT */
/* Points as influxd answers a query: JSON and CSV. */
#include "store/export/dump_internal.h"

void dump_json_cell(struct buffer *o, const struct points_cell *c)
{
    if (!c->present) {
        buffer_add(o, "null", 4);
        return;
    }
    switch (c->type) {
    case VALUE_FLOAT:
        gotext_float_json(o, c->value.f);
        break;
    case VALUE_INTEGER:
        gotext_integer(o, c->value.i);
        break;
    case VALUE_UNSIGNED:
        gotext_unsigned(o, c->value.u);
        break;
    case VALUE_BOOLEAN:
        buffer_string(o, c->value.b ? "true" : "false");
        break;
    default:
        gotext_string_json(o, points_text(c).p, points_text(c).n);
    }
}

void dump_json_row(struct dump *d, const struct points_row *row)
{
    struct buffer *o = &d->text;
    const size_t n = points_columns(d->points);
    if (d->rows)
        buffer_add(o, ",", 1);
    buffer_add(o, "[\"", 2);
    gotext_time(o, &d->day, row->time);
    buffer_add(o, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        buffer_add(o, ",", 1);
        dump_json_cell(o, &row->cells[i]);
    }
    buffer_add(o, "]", 1);
}

void dump_json_head(struct dump *d)
{
    struct buffer *o = &d->text;
    buffer_string(o, "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":");
    gotext_string_json(o, d->measurement.p, d->measurement.n);
    buffer_string(o, ",\"columns\":[\"time\"");
    for (size_t i = 0; i < points_columns(d->points); i++) {
        buffer_add(o, ",", 1);
        buffer_add(o, d->names[i].p, d->names[i].n);
    }
    buffer_string(o, "],\"values\":[");
}

void dump_json_tail(struct dump *d)
{
    if (d->rows == 0)
        buffer_string(&d->text, "{\"results\":[{\"statement_id\":0}]}\n");
    else
        buffer_string(&d->text, "]}]}]}\n");
}

static void answer_csv_cell(struct buffer *o, const struct points_cell *c)
{
    if (!c->present)
        return;
    if (c->type == VALUE_FLOAT)
        gotext_float_plain(o, c->value.f);
    else if (c->type == VALUE_STRING)
        gotext_string_csv(o, points_text(c).p, points_text(c).n);
    else
        dump_json_cell(o, c);
}

void dump_csv_row(struct dump *d, const struct points_row *row)
{
    struct buffer *o = &d->text;
    const size_t n = points_columns(d->points);
    buffer_add(o, d->prefix.p, d->prefix.n);
    gotext_integer(o, row->time);
    for (size_t i = 0; i < n; i++) {
        buffer_add(o, ",", 1);
        answer_csv_cell(o, &row->cells[i]);
    }
    buffer_add(o, "\n", 1);
}

void dump_csv_head(struct dump *d)
{
    buffer_string(&d->text, "name,tags,time");
    for (size_t i = 0; i < points_columns(d->points); i++) {
        buffer_add(&d->text, ",", 1);
        buffer_add(&d->text, d->names[i].p, d->names[i].n);
    }
    buffer_add(&d->text, "\n", 1);
}

void dump_csv_begin(struct dump *d)
{
    gotext_string_csv(&d->prefix, d->measurement.p, d->measurement.n);
    buffer_add(&d->prefix, ",,", 2); /* tags, as there is no GROUP BY */
}
