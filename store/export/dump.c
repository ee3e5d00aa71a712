/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/export/dump_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIECE ((size_t)64 << 10)

/* A name and how often it was taken. */
struct name {
    struct slice text;
    size_t count;
    bool made; /* its text is memory of its own */
};

static struct name *find(struct name *names, size_t n, struct slice text)
{
    for (size_t i = 0; i < n; i++)
        if (slice_compare(names[i].text, text) == 0)
            return &names[i];
    return NULL;
}

/* Finds a free name for a column whose name is taken. */
static bool dump_new_name(struct name *names, size_t n, struct name *taken)
{
    char *p = malloc(taken->text.n + 24);
    if (!p)
        return false;
    memcpy(p, taken->text.p, taken->text.n);
    struct name *now = &names[n];
    do {
        int digits = snprintf(p + taken->text.n, 24, "_%zu", taken->count++);
        now->text = (struct slice){p, taken->text.n + (size_t)digits};
    } while (find(names, n, now->text));
    now->made = true;
    return true;
}

/* Writes the name of a column, unique in this format. */
static void dump_name(enum dump_format format, struct buffer *o, struct slice name)
{
    if (format == DUMP_JSON)
        gotext_string_json(o, name.p, name.n);
    else if (format == DUMP_CSV)
        gotext_string_csv(o, name.p, name.n);
    else
        dump_lines_name(o, name);
}

static bool dump_name_columns(struct dump *d, struct name *names)
{
    for (size_t i = 0; i < points_columns(d->points); i++) {
        struct slice own = points_column(d->points, i)->name;
        /* A line has no tags among its fields, so no field's name is taken. */
        struct name *taken = d->format == DUMP_LP ? NULL : find(names, i, own);
        names[i] = (struct name){.text = own, .count = 1};
        if (taken && !dump_new_name(names, i, taken))
            return false;
        dump_name(d->format, &d->names[i], names[i].text);
        if (d->names[i].failed)
            return false;
    }
    return true;
}

static bool dump_make_names(struct dump *d)
{
    size_t n = points_columns(d->points);
    struct name *names = calloc(n + 1, sizeof(*names));
    d->names = calloc(n + 1, sizeof(*d->names));
    bool ok = names && d->names && dump_name_columns(d, names);
    for (size_t i = 0; names && i < n; i++)
        if (names[i].made)
            free((char *)names[i].text.p);
    free(names);
    return ok;
}

struct points_query dump_points_query(const struct dump_query *q)
{
    return (struct points_query){.db = q->db,
                                 .rp = q->rp,
                                 .measurement = {q->measurement, q->n},
                                 .from = q->from,
                                 .to = q->to,
                                 .way = q->format == DUMP_LP ? POINTS_ALL : POINTS_ANSWER,
                                 .gaps = q->gaps,
                                 .reader = q->reader,
                                 .memory = q->memory,
                                 .folder = q->folder,
                                 .spilled = q->spilled};
}

int dump_open(struct schema_cache *c, const struct dump_query *q, struct dump **out, struct err *e)
{
    cleanup(dump_freep) struct dump *d = calloc(1, sizeof(*d));
    if (!d)
        return err_sys(e, -ENOMEM, "a dump");
    d->format = q->format;
    d->query = *q;
    d->measurement = (struct slice){q->measurement, q->n};
    const struct points_query pq = dump_points_query(q);
    int r = points_open(c, &pq, &d->points, e);
    if (r < 0)
        return r;
    if (!dump_make_names(d) || (d->format == DUMP_LP && dump_lines_begin(d) < 0))
        return err_sys(e, -ENOMEM, "the names of columns");
    if (d->format == DUMP_CSV)
        dump_csv_begin(d);
    *out = steal_ptr(&d);
    return 0;
}

void dump_free(struct dump *d)
{
    if (!d)
        return;
    for (size_t i = 0; d->names && i < points_columns(d->points); i++)
        buffer_free(&d->names[i]);
    free(d->names);
    dump_lines_end(d);
    buffer_free(&d->prefix);
    buffer_free(&d->text);
    points_free(d->points);
    free(d);
}

static void dump_head(struct dump *d)
{
    if (d->format == DUMP_JSON)
        dump_json_head(d);
    else if (d->format == DUMP_CSV)
        dump_csv_head(d);
}

static int dump_row(struct dump *d, const struct points_row *row, struct err *e)
{
    if (d->format == DUMP_LP)
        return dump_lines_row(d, row, e);
    if (d->format == DUMP_JSON)
        dump_json_row(d, row);
    else
        dump_csv_row(d, row);
    return 0;
}

static void dump_tail(struct dump *d)
{
    if (d->format == DUMP_JSON)
        dump_json_tail(d);
    else if (d->format == DUMP_LP)
        dump_lines_tail(d);
}

static int dump_make(struct dump *d, struct err *e)
{
    struct points_row row;
    d->at = d->text.n = 0;
    while (!d->ended && d->text.n < PIECE) {
        if (d->mark_wanted && d->text.n && dump_has_mark(d)) {
            d->mark_wanted = false; /* who still wants it asks now */
            break;
        }
        int r = points_next(d->points, &row, e);
        if (r < 0)
            return r;
        if (r == 0) {
            dump_tail(d);
            d->ended = true;
            break;
        }
        if (d->rows == 0)
            dump_head(d);
        r = dump_row(d, &row, e);
        if (r < 0)
            return r;
        d->rows++;
    }
    return d->text.failed || d->prefix.failed ? err_sys(e, -ENOMEM, "a dump") : 0;
}

ssize_t dump_read(struct dump *d, void *buf, size_t n, struct err *e)
{
    if (d->at == d->text.n) {
        d->text.counts = !buf && n == SIZE_MAX;
        int r = dump_make(d, e);
        if (r < 0)
            return r;
    }
    if (n > d->text.n - d->at)
        n = d->text.n - d->at;
    if (buf && n)
        memcpy(buf, d->text.p + d->at, n);
    d->at += n;
    return (ssize_t)n;
}

int dump_is_empty(struct dump *d, struct err *e)
{
    /* Line protocol may leave out all rows that there are. */
    int r = d->text.n || d->ended ? 0 : dump_make(d, e);
    return r < 0 ? r : d->ended && (d->rows == 0 || d->text.n == 0);
}
