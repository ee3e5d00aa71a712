/* SPDX-License-Identifier: MIT */
#include "store/export/dump.h"

#include "store/base/cleanup.h"
#include "store/export/dump_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How often a name has been taken. */
struct name {
    struct slice text;
    size_t count;
};

static struct name *find(struct name *names, size_t n, struct slice text)
{
    for (size_t i = 0; i < n; i++)
        if (slice_compare(names[i].text, text) == 0)
            return &names[i];
    return NULL;
}

/* A free name for a column whose own is taken. */
static bool resolve(struct name *names, size_t n, struct name *taken, struct slice *out)
{
    for (size_t count = taken->count;; count++) {
        char *p = malloc(taken->text.n + 24);
        if (!p)
            return false;
        memcpy(p, taken->text.p, taken->text.n);
        int digits = snprintf(p + taken->text.n, 24, "_%zu", count);
        *out = (struct slice){p, taken->text.n + (size_t)digits};
        if (!find(names, n, *out)) {
            taken->count = count + 1;
            return true;
        }
        free(p);
    }
}

static bool copy(struct slice in, struct slice *out)
{
    char *p = malloc(in.n + 1);
    if (!p)
        return false;
    memcpy(p, in.p, in.n);
    *out = (struct slice){p, in.n};
    return true;
}

struct slice *dump_names(const struct points *p)
{
    size_t n = points_columns(p);
    autofree struct name *names = calloc(n + 1, sizeof(*names));
    struct slice *list = calloc(n + 1, sizeof(*list));
    if (!names || !list) {
        free(list);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        struct slice own = points_column(p, i)->name;
        struct name *taken = find(names, i, own);
        if (taken ? !resolve(names, i, taken, &list[i]) : !copy(own, &list[i])) {
            dump_names_free(list, n);
            return NULL;
        }
        names[i] = (struct name){list[i], 1};
    }
    return list;
}

void dump_names_free(struct slice *names, size_t n)
{
    for (size_t i = 0; names && i < n; i++)
        free((char *)names[i].p);
    free(names);
}

int dump(const struct capture *c, const struct dump_query *q, enum dump_format format,
         dump_write write, void *ctx, struct err *e)
{
    cleanup(points_freep) struct points *p = NULL;
    struct points_query pq = {.db = q->db,
                              .rp = q->rp,
                              .measurement = {q->measurement, q->n},
                              .from = q->from,
                              .to = q->to,
                              .way = format == DUMP_LP ? POINTS_ALL : POINTS_ANSWER};
    int r = points_open(c, &pq, &p, e);
    if (r < 0)
        return r;
    autofree struct gotext_out *o = malloc(sizeof(*o));
    if (!o)
        return err_sys(e, -ENOMEM, "a dump");
    o->write = write;
    o->ctx = ctx;
    o->e = e;
    o->n = 0;
    switch (format) {
    case DUMP_JSON:
        r = dump_json(p, pq.measurement, o);
        break;
    case DUMP_CSV:
        r = dump_csv(p, pq.measurement, o);
        break;
    case DUMP_LP:
        r = dump_lines(p, o);
        break;
    }
    return r < 0 ? r : gotext_flush(o);
}
