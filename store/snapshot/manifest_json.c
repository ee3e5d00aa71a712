/* SPDX-License-Identifier: MIT */
#include "store/snapshot/manifest_json.h"

#include "store/base/buffer.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A list, and its elements as text. */
struct span {
    const char *key;
    const char *at, *end; /* NULL: there is none */
};

enum { NSPANS = 4 };

struct manifest_json {
    struct span lists[NSPANS];
    struct json_object *root;
    struct json_tokener *tokener; /* of elements */
};

static const char blanks[] = " \t\r\n";

static bool is_blank(char c)
{
    return c && strchr(blanks, c);
}

static const char *after_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* What follows the string whose first quote is at p. */
static const char *after_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        p += *p == '\\';
    return p < end ? p + 1 : end;
}

/* Where the list closes whose first element may begin at p; end: nowhere. */
static const char *manifest_json_list_end(const char *p, const char *end)
{
    for (size_t depth = 0; p < end;) {
        if (*p == '"') {
            p = after_string(p, end);
            continue;
        }
        if (*p == '[' || *p == '{')
            depth++;
        else if ((*p == ']' || *p == '}') && depth-- == 0)
            return p;
        p++;
    }
    return end;
}

static struct span *span_of(struct manifest_json *j, const char *key, size_t len)
{
    for (size_t i = 0; i < NSPANS; i++)
        if (strlen(j->lists[i].key) == len && memcmp(j->lists[i].key, key, len) == 0)
            return &j->lists[i];
    return NULL;
}

/* Appends to *out the text without the elements of the lists, which it finds. What it takes for a list
 * is one if the two texts prove valid. */
static int manifest_json_split(struct manifest_json *j, const char *p, const char *end,
                               struct buffer *out)
{
    const char *from = p;
    size_t depth = 0;
    while (p < end) {
        if (*p != '"') {
            depth += *p == '{' || *p == '[';
            depth -= depth && (*p == '}' || *p == ']');
            p++;
            continue;
        }
        const char *key = p + 1;
        p = after_string(p, end);
        struct span *s = depth == 1 ? span_of(j, key, (size_t)(p - 1 - key)) : NULL;
        const char *colon = s ? after_blanks(p, end) : end;
        const char *list = colon < end && *colon == ':' ? after_blanks(colon + 1, end) : end;
        if (list == end || *list != '[')
            continue;
        if (s->at) /* a second one would take the place of the first */
            return -EBADMSG;
        s->at = list + 1;
        s->end = p = manifest_json_list_end(s->at, end);
        buffer_add(out, from, (size_t)(s->at - from));
        from = p;
        p += p < end;
    }
    buffer_add(out, from, (size_t)(end - from));
    return out->failed ? -ENOMEM : 0;
}

/* Exactly one object. */
static int manifest_json_root_of(const struct buffer *text, struct json_object **out)
{
    struct json_tokener *t = json_tokener_new();
    if (!t)
        return -ENOMEM;
    json_tokener_set_flags(t, JSON_TOKENER_STRICT);
    *out = json_tokener_parse_ex(t, text->p, (int)text->n);
    size_t end = json_tokener_get_parse_end(t);
    json_tokener_free(t);
    while (end < text->n && is_blank(text->p[end]))
        end++;
    return *out && json_object_is_type(*out, json_type_object) && end == text->n ? 0 : -EBADMSG;
}

int manifest_json_parse(const char *json, size_t len, struct manifest_json **out)
{
    cleanup(buffer_free) struct buffer text = {0};
    cleanup(manifest_json_freep) struct manifest_json *j = calloc(1, sizeof(*j));
    if (!j || !(j->tokener = json_tokener_new()))
        return -ENOMEM;
    json_tokener_set_flags(j->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    static const char *const keys[NSPANS] = {"files", "folders", "removed", "removed_folders"};
    for (size_t i = 0; i < NSPANS; i++)
        j->lists[i].key = keys[i];
    int r = manifest_json_split(j, json, json + len, &text);
    if (r == 0)
        r = manifest_json_root_of(&text, &j->root);
    if (r == 0)
        *out = steal_ptr(&j);
    return r;
}

void manifest_json_free(struct manifest_json *j)
{
    if (!j)
        return;
    json_object_put(j->root);
    if (j->tokener)
        json_tokener_free(j->tokener);
    free(j);
}

struct json_object *manifest_json_root(const struct manifest_json *j)
{
    return j->root;
}

/* The list as the object has it: its elements must have been found in the text. */
static const struct span *manifest_json_list(const struct manifest_json *j, const char *key)
{
    const struct span *s = span_of((struct manifest_json *)j, key, strlen(key));
    struct json_object *v;
    bool there = s && s->at && json_object_object_get_ex(j->root, key, &v) &&
                 json_object_is_type(v, json_type_array) && json_object_array_length(v) == 0;
    return there ? s : NULL;
}

int manifest_json_each(const struct manifest_json *j, const char *key, manifest_json_fn *each,
                       void *arg, struct err *e)
{
    const struct span *s = manifest_json_list(j, key);
    if (!s)
        return err_set(e, -EBADMSG, "manifest: %s is missing or damaged", key);
    const char *p = after_blanks(s->at, s->end);
    for (bool more = p < s->end; more; p++) {
        p = after_blanks(p, s->end);
        json_tokener_reset(j->tokener);
        struct json_object *o = json_tokener_parse_ex(j->tokener, p, (int)(s->end - p));
        const bool valid = json_tokener_get_error(j->tokener) == json_tokener_success;
        int r = valid ? each(arg, o, e) : 0;
        json_object_put(o);
        if (r < 0)
            return r;
        p = after_blanks(p + json_tokener_get_parse_end(j->tokener), s->end);
        more = p < s->end;
        if (!valid || (more && *p != ','))
            return err_set(e, -EBADMSG, "manifest: damaged, it is not valid JSON");
    }
    return 0;
}
