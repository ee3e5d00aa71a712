/* SPDX-License-Identifier: MIT */
/* Strings, for gotext.h. */
#include "store/export/gotext.h"

#include <stdio.h>

#define NO_RUNE 0xfffd

/* The code point at s, with its length in *len; NO_RUNE and 1 for invalid UTF-8. */
static uint32_t gotext_rune(const uint8_t *s, size_t n, size_t *len)
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
static const char *gotext_escape(uint32_t c, size_t len, char buf[8])
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

/* Bytes that encoding/json may escape, and bytes for which encoding/csv quotes a field. */
#define JSON 1
#define CSV 2

static const uint8_t special[256] = {
    [0 ... 9] = JSON,   ['\n'] = JSON | CSV, [11 ... 12] = JSON, ['\r'] = JSON | CSV,
    [14 ... 31] = JSON, ['"'] = JSON | CSV,  ['&'] = JSON,       [','] = CSV,
    ['<'] = JSON,       ['>'] = JSON,        ['\\'] = JSON,      [0x80 ... 0xff] = JSON,
};

static inline bool is_ordinary(const uint8_t *p, uint8_t kind)
{
    return !((special[p[0]] | special[p[1]] | special[p[2]] | special[p[3]] | special[p[4]] |
              special[p[5]] | special[p[6]] | special[p[7]]) &
             kind);
}

/* The number of bytes before the first special one. In eights; the last eight may overlap the
 * previous ones. */
static inline size_t ordinary(const char *s, size_t n, uint8_t kind)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t i = 0;
    while (n - i >= 8 && is_ordinary(p + i, kind))
        i += 8;
    if (i > 0 && n - i < 8 && is_ordinary(p + n - 8, kind))
        return n;
    while (i < n && !(special[p[i]] & kind))
        i++;
    return i;
}

void gotext_string_json(struct buffer *o, const char *s, size_t n)
{
    size_t start = 0, len;
    char buf[8];
    buffer_add(o, "\"", 1);
    for (size_t i = ordinary(s, n, JSON); i < n; i += ordinary(s + i, n - i, JSON)) {
        uint32_t c = gotext_rune((const uint8_t *)s + i, n - i, &len);
        const char *text = gotext_escape(c, len, buf);
        i += len;
        if (!text)
            continue;
        buffer_add(o, s + start, i - len - start);
        buffer_string(o, text);
        start = i;
    }
    buffer_add(o, s + start, n - start);
    buffer_add(o, "\"", 1);
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
    return ordinary(s, n, CSV) < n || is_space(gotext_rune((const uint8_t *)s, n, &len));
}

void gotext_string_csv(struct buffer *o, const char *s, size_t n)
{
    if (!needs_quotes(s, n)) {
        buffer_add(o, s, n);
        return;
    }
    buffer_add(o, "\"", 1);
    for (const char *quote; (quote = memchr(s, '"', n));) {
        size_t taken = (size_t)(quote + 1 - s);
        buffer_add(o, s, taken);
        buffer_add(o, "\"", 1);
        s += taken;
        n -= taken;
    }
    buffer_add(o, s, n);
    buffer_add(o, "\"", 1);
}
