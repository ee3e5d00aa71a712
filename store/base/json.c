/* SPDX-License-Identifier: MIT */
#include "store/base/json.h"

#include "store/base/cleanup.h"
#include "store/base/utf8.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT_BYTES (sizeof(UTF8_REPLACEMENT) - 1)

static size_t well_formed(const char *text, size_t len)
{
    size_t at = 0, n;
    while (at < len && (n = utf8_character(text + at, len - at)) > 0)
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
        memcpy(mended + n, UTF8_REPLACEMENT, REPLACEMENT_BYTES);
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

bool json_get(struct json_object *o, const char *key, json_type type, struct json_object **out)
{
    return json_object_object_get_ex(o, key, out) && json_object_is_type(*out, type);
}

bool json_get_text(struct json_object *o, const char *key, char **out)
{
    struct json_object *v;
    *out = NULL;
    if (!json_object_object_get_ex(o, key, &v) || json_object_is_type(v, json_type_null))
        return true;
    if (json_object_is_type(v, json_type_string))
        *out = strdup(json_object_get_string(v));
    return *out;
}
