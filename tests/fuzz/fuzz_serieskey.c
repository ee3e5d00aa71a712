/* SPDX-License-Identifier: MIT */
/* serieskey: any bytes fall into parts that are the whole, and what was escaped reads as it was. */
#include "store/influx/serieskey.h"
#include "tests/fuzz/fuzz.h"

static bool is_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static void check_split(struct slice key, struct slice *series, struct slice *field)
{
    const size_t len = strlen(SERIESKEY_SEPARATOR);
    const char *first = memmem(key.p, key.n, SERIESKEY_SEPARATOR, len);
    bool found = serieskey_split(key, series, field);
    must(found == (first != NULL));
    if (!found) {
        *series = key;
        return;
    }
    must(series->p == key.p && series->p + series->n == first);
    must(field->p == first + len && field->p + field->n == key.p + key.n);
}

static void check_unescape(struct slice in, char *out)
{
    size_t n = serieskey_unescape(in, out);
    must(n <= in.n && in.n <= 2 * n);
    must(n == in.n || memchr(in.p, '\\', in.n));
}

static void check_tags(struct slice rest, char *out)
{
    struct slice name, value;
    while (rest.n > 0) {
        must(*rest.p == ',');
        struct slice before = rest;
        must(serieskey_tag(&rest, &name, &value));
        must(name.p == before.p + 1 && is_within(name.p, name.n, before.p, before.n));
        must(value.n == 0 || (value.p == name.p + name.n + 1 && value.p[-1] == '='));
        must(is_within(value.p, value.n, before.p, before.n));
        must(value.p + value.n == rest.p && rest.p + rest.n == before.p + before.n);
        must(rest.n < before.n);
        check_unescape(name, out);
        check_unescape(value, out);
    }
    must(!serieskey_tag(&rest, &name, &value));
}

/* As influxd escapes tags. */
static size_t escape_tag(struct slice in, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == ',' || in.p[i] == ' ' || in.p[i] == '=')
            out[n++] = '\\';
        out[n++] = in.p[i];
    }
    return n;
}

/* Names that end with a backslash are what influxd itself cannot tell from others. */
static void check_escapes(struct slice in, char *text, char *out)
{
    struct slice rest, name, value;
    struct slice tag = {text, escape_tag(in, text)};
    must(is_equal((struct slice){out, serieskey_unescape(tag, out)}, in));
    if (in.n == 0 || in.p[in.n - 1] == '\\')
        return;
    /* in,in=in */
    size_t n = serieskey_escape_measurement(in, text);
    must(n <= 2 * in.n);
    size_t at = n;
    text[at++] = ',';
    at += escape_tag(in, text + at);
    text[at++] = '=';
    at += escape_tag(in, text + at);
    must(serieskey_measurement((struct slice){text, at}, &rest).n == n);
    must(serieskey_tag(&rest, &name, &value) && rest.n == 0);
    must(is_equal((struct slice){out, serieskey_unescape(name, out)}, in));
    must(is_equal((struct slice){out, serieskey_unescape(value, out)}, in));
}

static void check_order(struct slice a, struct slice b)
{
    int c = slice_compare(a, b);
    must((c == 0) == is_equal(a, b));
    must((c > 0) == (slice_compare(b, a) < 0) && slice_compare(a, a) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice key = {(const char *)data, n}, series, field = {0}, rest;
    char *text = malloc(6 * n + 2), *out = malloc(n ? n : 1); /* exact: a byte more is seen */
    if (text && out) {
        check_split(key, &series, &field);
        struct slice measurement = serieskey_measurement(series, &rest);
        must(measurement.p == series.p && measurement.p + measurement.n == rest.p);
        must(rest.p + rest.n == series.p + series.n);
        check_tags(rest, out);
        check_unescape(measurement, out);
        check_escapes(key, text, out);
        check_order(measurement, field);
        check_order(series, rest);
    }
    free(text);
    free(out);
    return 0;
}
