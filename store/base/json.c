/* SPDX-License-Identifier: MIT */
#include "store/base/json.h"

#include "store/base/cleanup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define REPLACEMENT_BYTES (sizeof(REPLACEMENT) - 1)

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

/* How many bytes the character at text takes; 0: there is none. */
static size_t character(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
        if (*p >= forms[i].first && *p <= forms[i].last)
            return forms[i].n <= len && has_rest(p, forms[i].n, forms[i].low, forms[i].high)
                       ? forms[i].n
                       : 0;
    return 0;
}

static size_t well_formed(const char *text, size_t len)
{
    size_t at = 0, n;
    while (at < len && (n = character(text + at, len - at)) > 0)
        at += n;
    return at;
}

struct json_object *json_text_len(const char *text, size_t len)
{
    size_t good = well_formed(text, len), n = 0;
    if (len > INT_MAX / REPLACEMENT_BYTES)
        return NULL;
    if (good == len)
        return json_object_new_string_len(text, (int)len);
    autofree char *mended = malloc(len * REPLACEMENT_BYTES);
    if (!mended)
        return NULL;
    for (size_t at = 0; at < len; at += good + 1) {
        good = well_formed(text + at, len - at);
        memcpy(mended + n, text + at, good);
        n += good;
        if (at + good == len)
            break;
        memcpy(mended + n, REPLACEMENT, REPLACEMENT_BYTES);
        n += REPLACEMENT_BYTES;
    }
    return json_object_new_string_len(mended, (int)n);
}

struct json_object *json_text(const char *text)
{
    return json_text_len(text, strlen(text));
}

struct json_object *json_text_or_null(const char *text)
{
    return text && *text ? json_text(text) : NULL;
}

struct json_object *json_texts(const char *const *list, size_t n)
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; i < n; i++)
        json_object_array_add(array, json_text(list[i]));
    return array;
}

void json_add(struct json_object *o, const char *key, struct json_object *value)
{
    json_object_object_add(o, key, value);
}

void json_add_text(struct json_object *o, const char *key, const char *text)
{
    json_add(o, key, json_text_or_null(text));
}

void json_add_count(struct json_object *o, const char *key, uint64_t n)
{
    json_add(o, key, json_object_new_uint64(n));
}

void json_add_number(struct json_object *o, const char *key, int64_t number)
{
    json_add(o, key, number < 0 ? NULL : json_object_new_int64(number));
}

void json_add_bool(struct json_object *o, const char *key, bool yes)
{
    json_add(o, key, json_object_new_boolean(yes));
}
