/* SPDX-License-Identifier: MIT */
#include "store/influx/serieskey.h"

#include <string.h>

int slice_compare(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool serieskey_split(struct slice composite, struct slice *series, struct slice *field)
{
    const size_t len = strlen(SERIESKEY_SEPARATOR);
    const char *at = memmem(composite.p, composite.n, SERIESKEY_SEPARATOR, len);
    if (!at)
        return false;
    *series = (struct slice){composite.p, (size_t)(at - composite.p)};
    *field = (struct slice){at + len, composite.n - series->n - len};
    return true;
}

bool serieskey_is_of(struct slice composite, struct slice measurement)
{
    const size_t n = measurement.n, nsep = strlen(SERIESKEY_SEPARATOR);
    if (composite.n <= n || memcmp(composite.p, measurement.p, n) != 0)
        return false;
    return composite.p[n] == ',' ||
           (composite.n - n >= nsep && memcmp(composite.p + n, SERIESKEY_SEPARATOR, nsep) == 0);
}

/* The first c at or after `from` without a backslash before it; s.n if there is none. */
static size_t find(struct slice s, size_t from, char c)
{
    size_t i = from;
    while (i < s.n && !(s.p[i] == c && (i == 0 || s.p[i - 1] != '\\')))
        i++;
    return i;
}

struct slice serieskey_measurement(struct slice series, struct slice *rest)
{
    size_t n = find(series, 0, ',');
    *rest = (struct slice){series.p + n, series.n - n};
    return (struct slice){series.p, n};
}

bool serieskey_tag(struct slice *rest, struct slice *name, struct slice *value)
{
    if (rest->n == 0)
        return false;
    struct slice s = {rest->p + 1, rest->n - 1}; /* the comma */
    size_t equals = find(s, 0, '=');
    size_t begin = equals < s.n ? equals + 1 : s.n;
    size_t end = find(s, begin, ',');
    *name = (struct slice){s.p, equals};
    *value = (struct slice){s.p + begin, end - begin};
    *rest = (struct slice){s.p + end, s.n - end};
    return true;
}

static size_t serieskey_strip(struct slice in, const char *escaped, char *out)
{
    size_t n = 0;
    if (!memchr(in.p, '\\', in.n)) {
        memcpy(out, in.p, in.n);
        return in.n;
    }
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\\' && i + 1 < in.n && in.p[i + 1] && strchr(escaped, in.p[i + 1]))
            i++;
        out[n++] = in.p[i];
    }
    return n;
}

size_t serieskey_unescape(struct slice in, char *out)
{
    return serieskey_strip(in, ", =", out);
}

size_t serieskey_unescape_measurement(struct slice in, char *out)
{
    return serieskey_strip(in, ", ", out);
}

size_t serieskey_escape_measurement(struct slice in, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == ',' || in.p[i] == ' ')
            out[n++] = '\\';
        out[n++] = in.p[i];
    }
    return n;
}
