/* SPDX-License-Identifier: MIT */
#include "store/base/utf8.h"

#include <stdbool.h>

/* The rows of RFC 3629's grammar, section 4; only the second byte has limits of its own. */
static const struct {
    unsigned char first, last; /* of the first byte */
    unsigned char low, high;   /* of the second */
    size_t n;
} forms[] = {
    {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool has_rest(const unsigned char *p, size_t n, unsigned char low, unsigned char high)
{
    if (n > 1 && (p[1] < low || p[1] > high))
        return false;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return false;
    return true;
}

size_t utf8_character(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; len && i < sizeof(forms) / sizeof(*forms); i++)
        if (*p >= forms[i].first && *p <= forms[i].last)
            return forms[i].n <= len && has_rest(p, forms[i].n, forms[i].low, forms[i].high)
                       ? forms[i].n
                       : 0;
    return 0;
}

uint32_t utf8_code(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    uint32_t code = n == 1 ? *p : *p & (0x7fU >> n);
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (p[i] & 0x3f);
    return code;
}
