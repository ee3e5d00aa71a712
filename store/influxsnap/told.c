/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/told.h"

#include "store/influxsnap/snap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What could not be added for want of memory has hh.tbl NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct told_line {
    UT_hash_handle hh;
    char text[];
};

/* Whether it is new. Without memory it is said again. */
static bool told_add(struct told *t, const char *words)
{
    struct told_line *line;
    size_t n = strlen(words);
    HASH_FIND(hh, t->lines, words, n, line);
    if (line)
        return false;
    line = calloc(1, sizeof(*line) + n + 1);
    if (!line)
        return true;
    memcpy(line->text, words, n);
    HASH_ADD_KEYPTR(hh, t->lines, line->text, n, line);
    if (!line->hh.tbl)
        free(line);
    return true;
}

void told_lacks(void *ctx, const char *words)
{
    struct told *t = ctx;
    if (!told_add(t, words))
        return;
    t->lacking++;
    meter_hide(t->meter);
    snap_warn("%s", words);
}

void told_warn(struct told *t, const char *fmt, ...)
{
    struct err words;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words.text, sizeof(words.text), fmt, ap);
    va_end(ap);
    if (!told_add(t, words.text))
        return;
    meter_hide(t->meter);
    snap_warn("%s", words.text);
}

void told_clear(struct told *t)
{
    struct told_line *line, *tmp;
    HASH_ITER(hh, t->lines, line, tmp)
    {
        HASH_DEL(t->lines, line);
        free(line);
    }
}
