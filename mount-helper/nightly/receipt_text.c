/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/receipt.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/snapshot/manifest_selection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Words of others, in which control bytes become '?'. */
static struct json_object *receipt_words(const char *text)
{
    autofree char *plain = text ? strdup(text) : NULL;
    for (char *p = plain; p && *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    return json_text_or_null(plain);
}

/* Exact, whatever its bytes. */
static struct json_object *receipt_exact(const char *text)
{
    return text && *text ? json_object_new_string(text) : NULL;
}

static struct json_object *receipt_list(char *const *list, size_t n,
                                        struct json_object *(*make)(const char *text))
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; array && i < n; i++)
        json_object_array_add(array, make(list[i]));
    return array;
}

static struct json_object *receipt_ref(const struct receipt_ref *ref)
{
    struct json_object *o = ref->name ? json_object_new_object() : NULL;
    if (!o)
        return NULL;
    json_add_text(o, "day", ref->day);
    json_add_text(o, "receipt", ref->name);
    return o;
}

static struct json_object *receipt_objects(const struct receipt *c)
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; array && i < c->nobjects; i++) {
        const struct receipt_object *from = &c->objects[i];
        struct json_object *o = json_object_new_object();
        json_add(o, "name", receipt_exact(from->name));
        json_add_count(o, "size", from->size);
        json_add_text(o, "sha256", from->sha256);
        json_add_text(o, "md5", from->md5);
        if (from->what)
            json_add(o, "what", json_text(from->what));
        json_object_array_add(array, o);
    }
    return array;
}

static struct json_object *receipt_json(const struct receipt *c)
{
    struct json_object *o = json_object_new_object();
    if (!o)
        return NULL;
    json_add_count(o, "version", 1);
    json_add_text(o, "program", "influxfs " INFLUXFS_VERSION);
    json_add_text(o, "form", receipt_form_name(c->form));
    json_add_text(o, "store", c->store);
    json_add(o, "host", receipt_words(c->host));
    json_add_text(o, "day", c->day);
    json_add_text(o, "run", c->run);
    json_add_text(o, "id", c->id);
    json_add_text(o, "parent", c->parent);
    json_add_number(o, "number", c->number);
    json_add_text(o, "created", c->created);
    json_add(o, "follows", receipt_ref(&c->follows));
    json_add(o, "base", receipt_ref(&c->base));
    if (c->selection)
        json_add(o, "selection", manifest_selection_json(c->selection));
    if (c->shrunk)
        json_add_bool(o, "shrunk", true);
    json_add(o, "databases", receipt_list(c->databases, c->ndatabases, receipt_exact));
    json_add(o, "left_out", receipt_list(c->left_out, c->nleft_out, receipt_words));
    json_add_count(o, "bytes", receipt_bytes(c));
    json_add(o, "objects", receipt_objects(c));
    return o;
}

/* The object, open for the sum of what stands there. */
static int receipt_seal(const char *json, struct buffer *out)
{
    const size_t n = strlen(json) - 1;
    char sum[SHA256_HEX + 1];
    if (sha256_of(json, n, sum) < 0)
        return -ENOMEM;
    buffer_add(out, json, n);
    buffer_string(out, ",\"sha256\":\"");
    buffer_string(out, sum);
    buffer_string(out, "\"}\n");
    return out->failed ? -ENOMEM : 0;
}

int receipt_text(const struct receipt *c, struct buffer *out, struct err *e)
{
    cleanup(receipt_clear) struct receipt again = {0};
    const size_t at = out->n;
    struct json_object *o = receipt_json(c);
    const char *json = o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE)
                         : NULL;
    int r = json ? receipt_seal(json, out) : -ENOMEM;
    json_object_put(o);
    return r < 0 ? err_sys(e, r, "receipt") : receipt_read(out->p + at, out->n - at, &again, e);
}

/* As sha256sum(1) escapes a name with a backslash; names have no newlines. */
static void receipt_sum(const struct receipt_object *o, struct buffer *out)
{
    buffer_string(out, strchr(o->name, '\\') ? "\\" : "");
    buffer_string(out, o->sha256);
    buffer_string(out, "  ");
    for (const char *p = o->name; *p; p++) {
        buffer_string(out, *p == '\\' ? "\\" : "");
        buffer_add(out, p, 1);
    }
    buffer_string(out, "\n");
}

void receipt_sums(const struct receipt *c, struct buffer *out)
{
    for (size_t i = 0; i < c->nobjects; i++)
        receipt_sum(&c->objects[i], out);
}
