/* SPDX-License-Identifier: MIT */
#include "store/chain/cutscan_section.h"

#include "store/base/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)32 << 10)
#define PROBE 1024
#define NEAR 4096 /* bytes within which lines are read one after the other */

void cutscan_section_clear(struct cutscan_section *s)
{
    free(s->buf);
    s->buf = NULL;
    s->n = s->cap = 0;
}

/* What was read may have been changed. */
void cutscan_section_rewind(struct cutscan_section *s)
{
    s->at = s->begin;
    s->n = 0;
}

static int section_bad(const struct cutscan_section *s, struct err *e)
{
    return err_set(e, -EBADMSG, "the manifest of cut %s is damaged at byte %" PRIu64, s->name,
                   s->at);
}

/* Makes buf hold the bytes from s->at on: at least `least`, if the section has them. */
static int section_fill(struct cutscan_section *s, size_t least, struct err *e)
{
    const uint64_t left = s->end - s->at;
    const size_t want = left < least ? (size_t)left : least;
    if (s->cap < want + 1) {
        char *more = realloc(s->buf, want + 1);
        if (!more)
            return err_sys(e, -ENOMEM, "the manifest of cut %s", s->name);
        s->buf = more;
        s->cap = want + 1;
    }
    int r = io_pread_all(s->fd, s->buf, want, s->at);
    if (r < 0)
        return r == -ENODATA ? section_bad(s, e) : err_sys(e, r, "the manifest of cut %s", s->name);
    s->from = s->at;
    s->n = want;
    return 0;
}

int cutscan_section_line(struct cutscan_section *s, char **line, struct err *e)
{
    *line = NULL;
    if (s->at >= s->end)
        return 0;
    for (size_t least = s->probing ? PROBE : PIECE;; least *= 2) {
        char *nl = NULL;
        if (s->buf && s->at >= s->from && s->at < s->from + s->n) {
            *line = s->buf + (s->at - s->from);
            nl = memchr(*line, '\n', (size_t)(s->from + s->n - s->at));
        }
        if (nl) {
            *nl = 0;
            s->at += (uint64_t)(nl + 1 - *line);
            return 0;
        }
        if (s->buf && s->from == s->at && (s->from + s->n == s->end || s->n >= CUTSCAN_LINE_MAX))
            return section_bad(s, e);
        int r = section_fill(s, least, e);
        if (r < 0)
            return r;
    }
}

/* Goes to the first line that begins after byte `at` of the file; the end: there is none. */
static int section_to_line(struct cutscan_section *s, uint64_t at, struct err *e)
{
    char *rest;
    s->at = at;
    return cutscan_section_line(s, &rest, e);
}

/* Whether the first line that begins after byte `at` is before the key; *begins: where it begins. */
static int section_probe(struct cutscan_section *s, uint64_t at,
                         bool (*before)(const void *key, char *line), const void *key,
                         uint64_t *begins, bool *out, struct err *e)
{
    char *line = NULL;
    s->n = 0; /* a line that was read has been changed */
    int r = section_to_line(s, at, e);
    *begins = s->at;
    if (r == 0)
        r = cutscan_section_line(s, &line, e);
    *out = r == 0 && line && before(key, line);
    return r;
}

int cutscan_section_seek(struct cutscan_section *s, bool (*before)(const void *key, char *line),
                         const void *key, struct err *e)
{
    uint64_t low = s->at, high = s->end, begins = 0;
    bool yes = true;
    int r = 0;
    s->probing = true;
    /* Ever farther, since it is most often near. */
    for (uint64_t step = NEAR; r == 0 && yes && low + step < high; step *= 2) {
        const uint64_t try = low + step;
        r = section_probe(s, try, before, key, &begins, &yes, e);
        if (r == 0 && yes)
            low = begins;
        else if (r == 0)
            high = try;
    }
    while (r == 0 && high > low && high - low > NEAR) {
        const uint64_t middle = low + (high - low) / 2;
        r = section_probe(s, middle, before, key, &begins, &yes, e);
        if (r == 0 && yes)
            low = begins;
        else
            high = middle;
    }
    s->probing = false;
    s->at = low;
    s->n = 0;
    return r;
}
