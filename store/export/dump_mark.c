/* SPDX-License-Identifier: MIT */
/* Marks of dumps: what a text goes on from. */
#include "store/base/cleanup.h"
#include "store/export/dump_internal.h"

#include <errno.h>

/* A mark begins with this, as it lies in memory, and a struct mark_field for each field with omitted
 * values. The mark of the points follows. */
struct mark_head {
    uint64_t rows;
    uint64_t series, more; /* of struct lines */
    uint64_t nfields;
};

struct mark_field {
    uint64_t column, left;
};

/* Where line protocol leaves out a series, no text is made either. */
bool dump_has_mark(const struct dump *d)
{
    return !d->ended && !d->lines.why && points_mark(d->points, NULL) == 0;
}

static void mark_head(const struct dump *d, struct buffer *mark)
{
    struct mark_head head = {d->rows, d->lines.series, d->lines.more, 0};
    const size_t n = d->lines.fields ? points_columns(d->points) : 0;
    for (size_t i = 0; i < n; i++)
        head.nfields += d->lines.fields[i].left > 0;
    buffer_add(mark, &head, sizeof(head));
    for (size_t i = 0; i < n && head.nfields; i++) {
        const struct mark_field f = {i, d->lines.fields[i].left};
        if (f.left)
            buffer_add(mark, &f, sizeof(f));
    }
}

int dump_mark(struct dump *d, struct buffer *mark)
{
    cleanup(buffer_free) struct buffer points = {0};
    d->mark_wanted = d->at < d->text.n || !dump_has_mark(d);
    int r = d->mark_wanted ? -EAGAIN : points_mark(d->points, &points);
    if (r < 0)
        return r;
    mark_head(d, mark);
    buffer_add(mark, points.p, points.n);
    return points.failed || mark->failed ? -ENOMEM : 0;
}

/* Takes n bytes off the mark. */
static bool mark_take(struct slice *mark, void *to, size_t n)
{
    if (mark->n < n)
        return false;
    memcpy(to, mark->p, n);
    mark->p += n;
    mark->n -= n;
    return true;
}

static bool mark_take_head(struct dump *d, struct slice *mark)
{
    struct mark_head head;
    struct mark_field f;
    bool ok = mark_take(mark, &head, sizeof(head));
    for (uint64_t i = 0; ok && i < head.nfields; i++) {
        ok = d->lines.fields && mark_take(mark, &f, sizeof(f)) &&
             f.column < points_columns(d->points);
        if (ok)
            d->lines.fields[f.column].left = f.left;
    }
    if (!ok)
        return false;
    d->rows = head.rows;
    d->lines.series = head.series;
    d->lines.more = head.more;
    return true;
}

int dump_resume(struct dump *d, struct slice mark, struct err *e)
{
    if (!mark_take_head(d, &mark))
        return err_set(e, -EINVAL, "no mark of this text");
    return points_resume(d->points, mark, e);
}
