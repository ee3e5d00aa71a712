/* SPDX-License-Identifier: MIT */
/* Points as influxd answers a query: JSON and CSV. */
#include "store/export/dump_internal.h"

#include <errno.h>

/* influxd makes an answer of pieces of so many rows, and leaves a mark of the first piece in it
 * when there are more (services/httpd/handler.go; query/emitter.go). */
#define PIECE 10000

static struct slice text_of(const struct points_cell *c)
{
    return (struct slice){c->text + c->value.s.off, c->value.s.len};
}

static int json_cell(struct gotext_out *o, const struct points_cell *c)
{
    if (!c->present)
        return gotext_text(o, "null");
    switch (c->type) {
    case VALUE_FLOAT:
        return gotext_float_json(o, c->value.f);
    case VALUE_INTEGER:
        return gotext_integer(o, c->value.i);
    case VALUE_UNSIGNED:
        return gotext_unsigned(o, c->value.u);
    case VALUE_BOOLEAN:
        return gotext_text(o, c->value.b ? "true" : "false");
    default:
        return gotext_string_json(o, text_of(c).p, text_of(c).n);
    }
}

static int json_row(struct gotext_out *o, const struct points_row *row, size_t n, bool first)
{
    int r = gotext_text(o, first ? "[\"" : ",[\"");
    if (r == 0)
        r = gotext_time(o, row->time);
    if (r == 0)
        r = gotext_text(o, "\"");
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = gotext_text(o, ",");
        if (r == 0)
            r = json_cell(o, &row->cells[i]);
    }
    return r < 0 ? r : gotext_text(o, "]");
}

static int json_head(struct gotext_out *o, struct slice measurement, const struct slice *names,
                     size_t n)
{
    int r = gotext_text(o, "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":");
    if (r == 0)
        r = gotext_string_json(o, measurement.p, measurement.n);
    if (r == 0)
        r = gotext_text(o, ",\"columns\":[\"time\"");
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = gotext_text(o, ",");
        if (r == 0)
            r = gotext_string_json(o, names[i].p, names[i].n);
    }
    return r < 0 ? r : gotext_text(o, "],\"values\":[");
}

static int csv_head(struct gotext_out *o, const struct slice *names, size_t n)
{
    int r = gotext_text(o, "name,tags,time");
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = gotext_text(o, ",");
        if (r == 0)
            r = gotext_string_csv(o, names[i].p, names[i].n);
    }
    return r < 0 ? r : gotext_text(o, "\n");
}

static int csv_cell(struct gotext_out *o, const struct points_cell *c)
{
    if (!c->present)
        return 0;
    switch (c->type) {
    case VALUE_FLOAT:
        return gotext_float_plain(o, c->value.f);
    case VALUE_STRING:
        return gotext_string_csv(o, text_of(c).p, text_of(c).n);
    default:
        return json_cell(o, c);
    }
}

static int csv_row(struct gotext_out *o, struct slice measurement, const struct points_row *row,
                   size_t n)
{
    int r = gotext_string_csv(o, measurement.p, measurement.n);
    if (r == 0)
        r = gotext_text(o, ",,"); /* tags, as there is no GROUP BY */
    if (r == 0)
        r = gotext_integer(o, row->time);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = gotext_text(o, ",");
        if (r == 0)
            r = csv_cell(o, &row->cells[i]);
    }
    return r < 0 ? r : gotext_text(o, "\n");
}

/* All rows, the head before the first of them; *count says how many they are. */
static int rows(struct points *p, struct slice measurement, const struct slice *names, bool json,
                struct gotext_out *o, uint64_t *count)
{
    struct points_row row;
    size_t n = points_columns(p);
    int r;
    *count = 0;
    while ((r = points_next(p, &row, o->e)) == 1) {
        if (*count == 0)
            r = json ? json_head(o, measurement, names, n) : csv_head(o, names, n);
        if (r >= 0)
            r = json ? json_row(o, &row, n, *count == 0) : csv_row(o, measurement, &row, n);
        if (r < 0)
            return r;
        (*count)++;
    }
    return r;
}

static int answer(struct points *p, struct slice measurement, bool json, struct gotext_out *o,
                  uint64_t *count)
{
    struct slice *names = dump_names(p);
    if (!names)
        return err_sys(o->e, -ENOMEM, "the names of columns");
    int r = rows(p, measurement, names, json, o, count);
    dump_names_free(names, points_columns(p));
    return r;
}

int dump_json(struct points *p, struct slice measurement, struct gotext_out *o)
{
    uint64_t count = 0;
    int r = answer(p, measurement, true, o, &count);
    if (r < 0)
        return r;
    if (count == 0)
        return gotext_text(o, "{\"results\":[{\"statement_id\":0}]}\n");
    return gotext_text(o, count > PIECE ? "],\"partial\":true}]}]}\n" : "]}]}]}\n");
}

int dump_csv(struct points *p, struct slice measurement, struct gotext_out *o)
{
    uint64_t count = 0;
    return answer(p, measurement, false, o, &count);
}
