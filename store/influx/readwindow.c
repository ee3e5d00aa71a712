/* SPDX-License-Identifier: MIT */
#include "store/influx/readwindow.h"

#include "store/base/array.h"

#include <errno.h>

#define LEAST ((size_t)16 << 10)

void readwindow_free(struct readwindow *w)
{
    free(w->p);
    *w = (struct readwindow){.most = w->most};
}

/* How much to read at off, where n bytes are asked for: twice as much as before, if off is about
 * where the last piece ended. */
static size_t readwindow_choose(struct readwindow *w, uint64_t off, size_t n, uint64_t end)
{
    bool goes_on = w->n > 0 && off >= w->at && off - w->at <= w->n + w->want;
    w->want = goes_on ? 2 * w->want : LEAST;
    if (w->want > w->most)
        w->want = w->most;
    size_t want = w->want > n ? w->want : n;
    return want < end - off ? want : (size_t)(end - off);
}

int readwindow_read(struct readwindow *w, const struct source *s, uint64_t off, size_t n,
                    uint64_t end, struct err *e)
{
    size_t want = readwindow_choose(w, off, n, end);
    w->n = 0;
    if (!array_renew(&w->p, &w->cap, want))
        return err_sys(e, -ENOMEM, "%s", s->name);
    int r = s->read(s->ctx, w->p, want, off, e);
    if (r < 0)
        return r;
    w->at = off;
    w->n = want;
    return 0;
}
