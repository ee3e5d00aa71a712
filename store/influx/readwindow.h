/* SPDX-License-Identifier: MIT */
/*
 * A piece of a file in memory, for a reader that mostly goes forward: the longer it does, the more is
 * read at once. A reader that jumps gets about what it asks for.
 *
 * One thread at a time. Memory: `most` bytes, or what is asked for at once if that is more.
 */
#ifndef INFLUXFS_INFLUX_READWINDOW_H
#define INFLUXFS_INFLUX_READWINDOW_H

#include "store/influx/source.h"

/* Set `most` before the first use, the rest to 0. */
struct readwindow {
    size_t most; /* bytes */
    size_t want; /* of the next read */
    uint8_t *p;  /* the file from `at` on */
    uint64_t at;
    size_t n, cap;
};

/* Releases the memory; the window is then as before its first use. */
void readwindow_free(struct readwindow *w);

/* readwindow_get where the bytes are not there yet. */
int readwindow_read(struct readwindow *w, const struct source *s, uint64_t off, size_t n,
                    uint64_t end, struct err *e);

/* Makes n bytes at off, which end below `end`, addressable at *p until the next call; nothing from
 * `end` on is read. 0, -ENOMEM, or what the source says. */
static inline int readwindow_get(struct readwindow *w, const struct source *s, uint64_t off,
                                 size_t n, uint64_t end, const uint8_t **p, struct err *e)
{
    if (off < w->at || off - w->at > w->n || n > w->n - (size_t)(off - w->at)) {
        int r = readwindow_read(w, s, off, n, end, e);
        if (r < 0)
            return r;
    }
    *p = w->p + (off - w->at);
    return 0;
}

#endif
