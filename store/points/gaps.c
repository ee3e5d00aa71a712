/* SPDX-License-Identifier: MIT */
#include "store/points/gaps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

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

/* RFC 3339, without zeros at the end of the fraction. Returns the number of bytes. */
static size_t put_time(int64_t ns, char *out, size_t max)
{
    const time_t second = (time_t)(ns / SECOND - (ns % SECOND < 0));
    struct tm tm;
    size_t n = strftime(out, max, "%Y-%m-%dT%H:%M:%S", gmtime_r(&second, &tm));
    n += (size_t)snprintf(out + n, max - n, ".%09" PRId64, ns - second * SECOND);
    while (out[n - 1] == '0')
        n--;
    n -= out[n - 1] == '.';
    return n + (size_t)snprintf(out + n, max - n, "Z");
}

void gaps_times(int64_t first, int64_t last, char out[GAPS_TIMES])
{
    size_t n = (size_t)snprintf(out, GAPS_TIMES, "from ");
    n += put_time(first, out + n, GAPS_TIMES - n);
    n += (size_t)snprintf(out + n, GAPS_TIMES - n, " to ");
    put_time(last, out + n, GAPS_TIMES - n);
}

int gaps_damage(const struct gaps *g, int code, struct err *e, const char *fmt, ...)
{
    char more[sizeof(e->text)];
    struct err words = {0};
    va_list ap;
    if (code != -EBADMSG || !g || !g->damage)
        return code;
    va_start(ap, fmt);
    vsnprintf(more, sizeof(more), fmt, ap);
    va_end(ap);
    err_set(&words, code, "%s: %s", e ? e->text : "damaged", more);
    g->say(g->ctx, words.text);
    if (e)
        e->text[0] = 0;
    return 0;
}

void gaps_say(const struct gaps *g, const char *fmt, ...)
{
    char text[sizeof(((struct err *)0)->text)];
    struct err words = {0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(&words, 0, "%s", text);
    g->say(g->ctx, words.text);
}
