/* SPDX-License-Identifier: MIT */
#include "store/export/gotext.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for n more bytes; NULL when there is no memory for them. */
static char *room(struct gotext *o, size_t n)
{
    if (n > o->cap - o->n) {
        size_t cap = o->cap ? o->cap : 4096;
        while (n > cap - o->n)
            cap *= 2;
        char *p = realloc(o->p, cap);
        if (!p) {
            o->failed = true;
            return NULL;
        }
        o->p = p;
        o->cap = cap;
    }
    return o->p + o->n;
}

void gotext_free(struct gotext *o)
{
    free(o->p);
    *o = (struct gotext){NULL};
}

void gotext_add(struct gotext *o, const void *p, size_t n)
{
    char *to = room(o, n);
    if (!to)
        return;
    memcpy(to, p, n);
    o->n += n;
}

void gotext_text(struct gotext *o, const char *s)
{
    gotext_add(o, s, strlen(s));
}

void gotext_unsigned(struct gotext *o, uint64_t v)
{
    char text[24], *p = text + sizeof(text);
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    gotext_add(o, p, (size_t)(text + sizeof(text) - p));
}

void gotext_integer(struct gotext *o, int64_t v)
{
    if (v < 0)
        gotext_add(o, "-", 1);
    gotext_unsigned(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* d.ddd times ten to the power of exponent. */
struct decimal {
    int n, exponent;
    char digits[24];
};

/* The n digits nearest to v. */
static void round_to(double v, int n, struct decimal *d)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*e", n - 1, v);
    const char *p = text;
    /* What stands behind the first digit depends on the locale. */
    for (d->n = 0; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            d->digits[d->n++] = *p;
    d->exponent = (int)strtol(p + 1, NULL, 10);
}

static bool reads_as(const struct decimal *d, double v)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*se%d", d->n, d->digits, d->exponent - d->n + 1);
    return strtod(text, NULL) == v;
}

/* The next decimal of as many digits that is greater. */
static void step_up(struct decimal *d)
{
    int i = d->n;
    while (i > 0 && d->digits[i - 1] == '9')
        d->digits[--i] = '0';
    if (i > 0) {
        d->digits[i - 1]++;
        return;
    }
    d->digits[0] = '1';
    d->exponent++;
}

/* Below a power of two the floats lie closer, so that the nearest decimal may read as another one
 * while that above it, farther away, does not. */
static bool is_lopsided(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return (bits & ((UINT64_C(1) << 52) - 1)) == 0;
}

/* Up to 2^53 an integer's own digits are the shortest: half a float's distance is below one. */
static bool is_small_integer(double v)
{
    return v < 9007199254740992.0 && v == (double)(uint64_t)v;
}

/* Of v > 0. Any decimal of 15 digits survives a float, unless that is denormal. */
static void shortest(double v, struct decimal *d)
{
    if (is_small_integer(v)) {
        d->n = snprintf(d->digits, sizeof(d->digits), "%" PRIu64, (uint64_t)v);
        d->exponent = d->n - 1;
    } else {
        int n = v < 2.2250738585072014e-308 ? 1 : 15;
        for (round_to(v, n, d); n < 17 && !reads_as(d, v); round_to(v, ++n, d)) {
            if (!is_lopsided(v))
                continue;
            step_up(d);
            if (reads_as(d, v))
                break;
        }
    }
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
}

static void zeros(struct gotext *o, int n)
{
    while (n-- > 0)
        gotext_add(o, "0", 1);
}

static void plain(struct gotext *o, const struct decimal *d)
{
    int whole = d->exponent + 1; /* digits before the point */
    if (whole <= 0) {
        gotext_text(o, "0.");
        zeros(o, -whole);
        gotext_add(o, d->digits, (size_t)d->n);
    } else if (whole >= d->n) {
        gotext_add(o, d->digits, (size_t)d->n);
        zeros(o, whole - d->n);
    } else {
        gotext_add(o, d->digits, (size_t)whole);
        gotext_add(o, ".", 1);
        gotext_add(o, d->digits + whole, (size_t)(d->n - whole));
    }
}

static void scientific(struct gotext *o, const struct decimal *d)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%c%s%.*se%+d", d->digits[0], d->n > 1 ? "." : "",
                     d->n - 1, d->digits + 1, d->exponent);
    gotext_add(o, text, (size_t)n);
}

static void number(struct gotext *o, double v, bool exponents)
{
    struct decimal d;
    if (!isfinite(v)) {
        gotext_text(o, "null");
        return;
    }
    if (signbit(v))
        gotext_add(o, "-", 1);
    v = fabs(v);
    if (v == 0) {
        gotext_add(o, "0", 1);
        return;
    }
    shortest(v, &d);
    if (exponents && (v < 1e-6 || v >= 1e21))
        scientific(o, &d);
    else
        plain(o, &d);
}

void gotext_float_json(struct gotext *o, double v)
{
    number(o, v, true);
}

void gotext_float_plain(struct gotext *o, double v)
{
    number(o, v, false);
}

#define NO_RUNE 0xfffd

/* The code point at s and in *len its bytes; NO_RUNE and 1 where there is no UTF-8. */
static uint32_t rune(const uint8_t *s, size_t n, size_t *len)
{
    *len = 1;
    if (s[0] < 0x80)
        return s[0];
    size_t want = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || want > n)
        return NO_RUNE;
    uint32_t c = s[0] & (0xffu >> (want + 1));
    for (size_t i = 1; i < want; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return NO_RUNE;
        c = c << 6 | (s[i] & 0x3f);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < least[want] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return NO_RUNE;
    *len = want;
    return c;
}

/* How encoding/json writes the character; NULL: as it is. */
static const char *escape(uint32_t c, size_t len, char buf[8])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        break;
    }
    bool invalid = c == NO_RUNE && len == 1;
    if (c >= 0x20 && c != '<' && c != '>' && c != '&' && c != 0x2028 && c != 0x2029 && !invalid)
        return NULL;
    snprintf(buf, 8, "\\u%04x", (unsigned)(c & 0xffff));
    return buf;
}

void gotext_string_json(struct gotext *o, const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t start = 0, len;
    char buf[8];
    gotext_add(o, "\"", 1);
    for (size_t i = 0; i < n; i += len) {
        uint32_t c = rune(p + i, n - i, &len);
        const char *text = escape(c, len, buf);
        if (!text)
            continue;
        gotext_add(o, s + start, i - start);
        gotext_text(o, text);
        start = i + len;
    }
    gotext_add(o, s + start, n - start);
    gotext_add(o, "\"", 1);
}

/* unicode.IsSpace */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

static bool needs_quotes(const char *s, size_t n)
{
    size_t len;
    if (n == 0)
        return false;
    if (n == 2 && memcmp(s, "\\.", 2) == 0)
        return true;
    for (size_t i = 0; i < n; i++)
        if (s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r')
            return true;
    return is_space(rune((const uint8_t *)s, n, &len));
}

void gotext_string_csv(struct gotext *o, const char *s, size_t n)
{
    if (!needs_quotes(s, n)) {
        gotext_add(o, s, n);
        return;
    }
    gotext_add(o, "\"", 1);
    for (size_t i = 0; i < n; i++)
        if (s[i] == '"')
            gotext_text(o, "\"\"");
        else
            gotext_add(o, s + i, 1);
    gotext_add(o, "\"", 1);
}

/* The date of a day since 1970, by the proleptic Gregorian calendar (Howard Hinnant's
 * civil_from_days). */
static void date_of(int64_t day, int64_t *year, unsigned *month, unsigned *mday)
{
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    unsigned doe = (unsigned)(day - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *mday = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = (int64_t)yoe + era * 400 + (*month <= 2);
}

void gotext_time(struct gotext *o, int64_t ns)
{
    int64_t seconds = ns / 1000000000, year;
    int64_t fraction = ns % 1000000000;
    if (fraction < 0) {
        fraction += 1000000000;
        seconds--;
    }
    int64_t day = seconds / 86400, second = seconds % 86400;
    if (second < 0) {
        second += 86400;
        day--;
    }
    unsigned month, mday;
    char text[96];
    date_of(day, &year, &month, &mday);
    int n = snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d", (int)year, month, mday,
                     (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
    if (fraction) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, ".%09d", (int)fraction);
        while (text[n - 1] == '0')
            n--;
    }
    text[n++] = 'Z';
    gotext_add(o, text, (size_t)n);
}
