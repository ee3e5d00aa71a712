/* SPDX-License-Identifier: MIT */
#include "store/points/gaps.h"

#include "store/base/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void gaps_name(struct slice name, char out[GAPS_NAME])
{
    size_t n = 0, i = 0;
    for (; i < name.n && n < GAPS_NAME - 8; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c < 0x20 || c == 0x7f)
            n += (size_t)snprintf(out + n, 4, "%%%02X", c);
        else
            out[n++] = name.p[i];
    }
    strcpy(out + n, i < name.n ? "…" : "");
}

/* Without the zeros at the end of the fraction, and without its point. */
static void short_text(int64_t ns, char out[TIME_TEXT])
{
    time_exact_text(ns, out);
    char *end = strchr(out, 'Z');
    while (end[-1] == '0')
        end--;
    end -= end[-1] == '.';
    strcpy(end, "Z");
}

void gaps_times(int64_t first, int64_t last, char out[GAPS_TIMES])
{
    char from[TIME_TEXT], to[TIME_TEXT];
    short_text(first, from);
    short_text(last, to);
    snprintf(out, GAPS_TIMES, "from %s to %s", from, to);
}

int gaps_damage(const struct gaps *g, int code, struct err *e, const char *fmt, ...)
{
    struct err words, more;
    va_list ap;
    if (code != -EBADMSG || !g || !g->damage)
        return code;
    va_start(ap, fmt);
    err_format(&more, fmt, ap);
    va_end(ap);
    err_set(&words, code, "%s: %s", e ? e->text : "damaged", more.text);
    g->say(g->ctx, words.text);
    if (e)
        e->text[0] = 0;
    return 0;
}

int gaps_block(const struct gaps *g, struct slice key, int64_t first, int64_t last, int code,
               struct err *e)
{
    char name[GAPS_NAME], times[GAPS_TIMES];
    gaps_name(key, name);
    gaps_times(first, last, times);
    return gaps_damage(g, code, e, "left out: this block, key %s, %s", name, times);
}

void gaps_say(const struct gaps *g, const char *fmt, ...)
{
    struct err words;
    va_list ap;
    va_start(ap, fmt);
    err_format(&words, fmt, ap);
    va_end(ap);
    g->say(g->ctx, words.text);
}
