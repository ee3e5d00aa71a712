/* SPDX-License-Identifier: MIT */
#include "fs/generated_text.h"

#include "fs/generated_files.h"
#include "fs/textmarks.h"

#include <errno.h>

void generated_text_at(const struct generated *g, uint64_t before, struct generated_text *t)
{
    t->at = textmarks_before(g->fs->generated->marks, g->digest, before, &t->mark);
}

void generated_text_clear(const struct generated *g, struct generated_text *t)
{
    g->maker->end(t->made);
    buffer_free(&t->mark);
    *t = (struct generated_text){0};
}

/* From the beginning to t->at, without the mark there. */
static int generated_text_skip(const struct generated *g, struct schema_cache *c,
                               const struct tarball_reader *reader, struct generated_text *t,
                               struct err *e)
{
    ssize_t got = g->maker->begin(g, c, reader, NULL, &t->made, e);
    for (uint64_t at = 0; got >= 0 && at < t->at; at += (uint64_t)got) {
        got = g->maker->next(t->made, NULL, t->at - at, e);
        if (got == 0)
            got = err_set(e, -EIO, "the text is shorter than it was");
        else if (got > 0 && reader_interrupted(reader))
            got = err_set(e, -EINTR, "interrupted");
    }
    return got < 0 ? (int)got : 0;
}

static int generated_text_begin(const struct generated *g, struct schema_cache *c,
                                const struct tarball_reader *reader, struct generated_text *t,
                                struct err *e)
{
    int r = -EAGAIN;
    if (t->mark.n)
        r = g->maker->begin(g, c, reader, &t->mark, &t->made, e);
    t->marked = r == 0;
    buffer_free(&t->mark);
    /* What is the matter with the mark, or with what it leads to, the whole text will tell. */
    return r == 0 || r == -EINTR ? r : generated_text_skip(g, c, reader, t, e);
}

static void generated_text_mark(const struct generated *g, struct generated_text *t)
{
    struct textmarks *marks = g->fs->generated->marks;
    struct buffer mark = {0};
    if (!g->maker->mark || !textmarks_wanted(marks, g->digest, t->at))
        return;
    /* Where there is none now, the next piece may end at one. */
    if (g->maker->mark(t->made, &mark) == 0 && !mark.failed)
        textmarks_keep(marks, g->digest, t->at, mark.p, mark.n);
    buffer_free(&mark);
}

ssize_t generated_text_next(const struct generated *g, struct schema_cache *c,
                            const struct tarball_reader *reader, struct generated_text *t,
                            void *buf, size_t n, struct err *e)
{
    ssize_t got = t->made ? 0 : generated_text_begin(g, c, reader, t, e);
    if (got == 0)
        got = g->maker->next(t->made, buf, n, e);
    if (got > 0) {
        t->at += (uint64_t)got;
        generated_text_mark(g, t);
    }
    if (got < 0 && got != -EINTR)
        generated_text_failed(g, t);
    return got;
}

void generated_text_failed(const struct generated *g, const struct generated_text *t)
{
    if (t->marked)
        textmarks_drop(g->fs->generated->marks, g->digest);
}
