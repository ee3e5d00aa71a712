/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/receipt.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/snapshot/manifest_selection.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define DEPTH 8                       /* of JSON; a receipt has 4 */
#define BYTES_MAX (UINT64_C(1) << 50) /* of all objects */
#define SEAL ",\"sha256\":\""
#define SEAL_BYTES (sizeof(SEAL) - 1 + SHA256_HEX + sizeof("\"}") - 1)

/* One being read. */
struct reading {
    struct json_object *root;
    struct receipt *c;
    struct err *e;
};

static void put_json(struct json_object **o)
{
    json_object_put(*o);
}

static int reading_bad(const struct reading *r, const char *key)
{
    return err_set(r->e, -EBADMSG, "the receipt is damaged: its `%s` is missing or cannot be", key);
}

/* A member of that type; NULL: there is none. */
static struct json_object *member(struct json_object *o, const char *key, enum json_type type)
{
    struct json_object *v;
    return json_get(o, key, type, &v) ? v : NULL;
}

static bool is_hex(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

static bool is_plain(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

/* A string without control bytes, within its object; NULL: it is none. */
static const char *reading_string(struct json_object *v)
{
    if (!json_object_is_type(v, json_type_string))
        return NULL;
    const char *text = json_object_get_string(v);
    return is_plain(text, (size_t)json_object_get_string_len(v)) ? text : NULL;
}

/* A copy of it, or NULL for JSON's null. */
static int reading_text(const struct reading *r, const char *key, char **out)
{
    struct json_object *v;
    if (!json_object_object_get_ex(r->root, key, &v))
        return reading_bad(r, key);
    const char *text = v ? reading_string(v) : NULL;
    if (v && (!text || !*text))
        return reading_bad(r, key);
    *out = text ? strdup(text) : NULL;
    return text && !*out ? -ENOMEM : 0;
}

/* One of a known form and length, into an array of one byte more. */
static int reading_fixed(const struct reading *r, const char *key, size_t len, char *out)
{
    struct json_object *v;
    const char *text = json_object_object_get_ex(r->root, key, &v) && v ? reading_string(v) : NULL;
    if (!text || strlen(text) != len)
        return reading_bad(r, key);
    memcpy(out, text, len + 1);
    return 0;
}

static bool reading_count(struct json_object *o, const char *key, uint64_t max, uint64_t *out)
{
    struct json_object *v = member(o, key, json_type_int);
    if (!v || json_object_get_int64(v) < 0 || json_object_get_uint64(v) > max)
        return false;
    *out = json_object_get_uint64(v);
    return true;
}

static int reading_texts(const struct reading *r, const char *key, char ***out, size_t *n)
{
    struct json_object *list = member(r->root, key, json_type_array);
    if (!list)
        return reading_bad(r, key);
    const size_t len = json_object_array_length(list);
    *out = calloc(len + 1, sizeof(**out));
    if (!*out)
        return -ENOMEM;
    for (; *n < len; ++*n) {
        const char *text = reading_string(json_object_array_get_idx(list, *n));
        if (!text || !*text)
            return reading_bad(r, key);
        if (!((*out)[*n] = strdup(text)))
            return -ENOMEM;
    }
    return 0;
}

static int reading_selection(const struct reading *r)
{
    struct json_object *o;
    if (!json_object_object_get_ex(r->root, "selection", &o))
        return 0;
    const int ret = manifest_selection_read(o, &r->c->selection);
    return ret == -EBADMSG ? reading_bad(r, "selection") : ret;
}

static int reading_shrunk(const struct reading *r)
{
    struct json_object *o;
    if (!json_object_object_get_ex(r->root, "shrunk", &o))
        return 0;
    r->c->shrunk = json_object_get_boolean(o);
    return json_object_is_type(o, json_type_boolean) ? 0 : reading_bad(r, "shrunk");
}

static int reading_form(const struct reading *r)
{
    struct json_object *v = member(r->root, "form", json_type_string);
    for (int f = RECEIPT_FULL; v && f <= RECEIPT_DUMPS; f++)
        if (strcmp(json_object_get_string(v), receipt_form_name((enum receipt_form)f)) == 0) {
            r->c->form = (enum receipt_form)f;
            return 0;
        }
    return reading_bad(r, "form");
}

/* Which store, day and run; as a name by them would have it. */
static int reading_place(const struct reading *r)
{
    struct receipt *c = r->c;
    char name[RECEIPT_NAME];
    int32_t day;
    int ret = reading_fixed(r, "store", STORE_ID, c->store);
    if (ret == 0 && !is_hex(c->store, STORE_ID))
        ret = reading_bad(r, "store");
    if (ret == 0)
        ret = reading_fixed(r, "day", RECEIPT_DAY, c->day);
    if (ret == 0 && !time_read_day(c->day, &day))
        ret = reading_bad(r, "day");
    if (ret == 0)
        ret = reading_fixed(r, "run", RECEIPT_RUN, c->run);
    if (ret < 0)
        return ret;
    receipt_name(c, ".json", name);
    return receipt_is_name(name, NULL, NULL) ? 0 : reading_bad(r, "run");
}

static int reading_snapshot(const struct reading *r)
{
    struct receipt *c = r->c;
    struct json_object *v;
    uint64_t number = 0;
    int ret = reading_text(r, "host", &c->host);
    if (ret == 0)
        ret = reading_text(r, "id", &c->id);
    if (ret == 0)
        ret = reading_text(r, "parent", &c->parent);
    if (ret == 0)
        ret = reading_text(r, "created", &c->created);
    if (ret < 0)
        return ret;
    if (!json_object_object_get_ex(r->root, "number", &v) ||
        (v && !reading_count(r->root, "number", INT64_MAX - 1, &number)))
        return reading_bad(r, "number");
    c->number = v ? (int64_t)number : -1;
    return 0;
}

/* A receipt of the same store and of an earlier run. */
static int reading_ref(const struct reading *r, const char *key, struct receipt_ref *out)
{
    struct json_object *o;
    struct receipt *c = r->c;
    char store[RECEIPT_STORE + 1], run[RECEIPT_RUN + 1];
    int32_t number;
    if (!json_object_object_get_ex(r->root, key, &o))
        return reading_bad(r, key);
    if (!o)
        return 0;
    struct json_object *day = member(o, "day", json_type_string);
    struct json_object *name = member(o, "receipt", json_type_string);
    if (!day || !name || !time_read_day(json_object_get_string(day), &number) ||
        !receipt_is_name(json_object_get_string(name), store, run) ||
        strncmp(store, c->store, RECEIPT_STORE) != 0 || strcmp(run, c->run) >= 0)
        return reading_bad(r, key);
    memcpy(out->day, json_object_get_string(day), RECEIPT_DAY + 1);
    out->name = strdup(json_object_get_string(name));
    return out->name ? 0 : -ENOMEM;
}

/* Whether an object may have this name: those of a tar bear their run's. */
static bool reading_may_be(const struct receipt *c, const char *name)
{
    char run[RECEIPT_NAME];
    receipt_name(c, "-", run);
    if (c->form <= RECEIPT_INCREMENTAL && strncmp(name, run, strlen(run)) != 0)
        return false;
    return *name && strlen(name) <= RECEIPT_OBJECT_NAME && !strchr(name, '/') &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !receipt_is_name(name, NULL, NULL);
}

static int reading_sums(struct json_object *o, struct receipt_object *out)
{
    struct json_object *v;
    const char *sum = json_object_get_string(member(o, "sha256", json_type_string));
    if (!sum || !is_hex(sum, SHA256_HEX) || !json_object_object_get_ex(o, "md5", &v))
        return -EBADMSG;
    memcpy(out->sha256, sum, sizeof(out->sha256));
    if (!v)
        return 0;
    sum = json_object_get_string(v);
    if (!json_object_is_type(v, json_type_string) || !is_hex(sum, RECEIPT_MD5_HEX))
        return -EBADMSG;
    memcpy(out->md5, sum, sizeof(out->md5));
    return 0;
}

/* At most `left` bytes large. */
static int reading_object(const struct reading *r, struct json_object *o, uint64_t left)
{
    struct receipt_object *out = &r->c->objects[r->c->nobjects];
    struct json_object *what;
    const char *name = reading_string(member(o, "name", json_type_string));
    const bool says = json_object_object_get_ex(o, "what", &what);
    if (!name || !reading_may_be(r->c, name) || !reading_count(o, "size", left, &out->size) ||
        reading_sums(o, out) < 0 || (says && !json_object_is_type(what, json_type_string)))
        return reading_bad(r, "objects");
    r->c->nobjects++;
    out->name = strdup(name);
    out->what = says ? strdup(json_object_get_string(what)) : NULL;
    return out->name && (out->what || !says) ? 0 : -ENOMEM;
}

static int reading_objects(const struct reading *r)
{
    struct json_object *list = member(r->root, "objects", json_type_array);
    uint64_t bytes = 0, said;
    if (!list || !reading_count(r->root, "bytes", BYTES_MAX, &said))
        return reading_bad(r, list ? "bytes" : "objects");
    const size_t n = json_object_array_length(list);
    r->c->objects = calloc(n + 1, sizeof(*r->c->objects));
    if (!r->c->objects)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int ret = reading_object(r, json_object_array_get_idx(list, i), BYTES_MAX - bytes);
        if (ret < 0)
            return ret;
        bytes += r->c->objects[i].size;
    }
    return bytes == said ? 0 : reading_bad(r, "bytes");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int reading_check_twice(const struct reading *r)
{
    const struct receipt *c = r->c;
    autofree const char **names = calloc(c->nobjects + 1, sizeof(*names));
    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < c->nobjects; i++)
        names[i] = c->objects[i].name;
    qsort(names, c->nobjects, sizeof(*names), by_text);
    for (size_t i = 1; i < c->nobjects; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return err_set(r->e, -EBADMSG, "the receipt is damaged: %.300s stands there twice",
                           names[i]);
    return 0;
}

/* What each form must have, and must not. */
static int reading_check_form(const struct reading *r)
{
    const struct receipt *c = r->c;
    const bool builds = c->form == RECEIPT_INCREMENTAL, is_tar = c->form <= RECEIPT_INCREMENTAL;
    if (is_tar && !c->id)
        return reading_bad(r, "id");
    if (builds != (c->parent != NULL))
        return reading_bad(r, "parent");
    if (builds != (c->follows.name != NULL))
        return reading_bad(r, "follows");
    if (builds != (c->base.name != NULL) || (builds && strcmp(c->base.name, c->follows.name) > 0))
        return reading_bad(r, "base");
    if (builds && c->nobjects && c->number < 0)
        return reading_bad(r, "number");
    if (builds && !c->nobjects && strcmp(c->id, c->parent) != 0)
        return reading_bad(r, "parent");
    if (!c->nobjects && (c->form == RECEIPT_FULL || c->form == RECEIPT_LEGACY))
        return reading_bad(r, "objects");
    return reading_check_twice(r);
}

static int reading_all(const struct reading *r)
{
    uint64_t version;
    if (!reading_count(r->root, "version", INT_MAX, &version) || version == 0)
        return reading_bad(r, "version");
    if (version != 1)
        return err_set(r->e, -EBADMSG,
                       "the receipt is of version %" PRIu64 ", which a later influxfs wrote: "
                       "install that one",
                       version);
    int ret = reading_form(r);
    if (ret == 0)
        ret = reading_place(r);
    if (ret == 0)
        ret = reading_snapshot(r);
    if (ret == 0)
        ret = reading_ref(r, "follows", &r->c->follows);
    if (ret == 0)
        ret = reading_ref(r, "base", &r->c->base);
    if (ret == 0)
        ret = reading_selection(r);
    if (ret == 0)
        ret = reading_shrunk(r);
    if (ret == 0)
        ret = reading_texts(r, "databases", &r->c->databases, &r->c->ndatabases);
    if (ret == 0)
        ret = reading_texts(r, "left_out", &r->c->left_out, &r->c->nleft_out);
    if (ret == 0)
        ret = reading_objects(r);
    return ret < 0 ? ret : reading_check_form(r);
}

/* Before anything is believed, the sum at the end must be that of the rest. */
static int reading_seal(const char *text, size_t n, struct err *e)
{
    char sum[SHA256_HEX + 1];
    const char *seal = text + n - SEAL_BYTES;
    if (n < SEAL_BYTES || memcmp(seal, SEAL, sizeof(SEAL) - 1) != 0)
        return err_set(e, -EBADMSG, "it is no receipt, or is cut off: its own sum is not there");
    if (sha256_of(text, n - SEAL_BYTES, sum) < 0)
        return -ENOMEM;
    if (memcmp(seal + sizeof(SEAL) - 1, sum, SHA256_HEX) != 0 ||
        memcmp(text + n - 2, "\"}", 2) != 0)
        return err_set(e, -EBADMSG, "the receipt is damaged: its own sum is another");
    return 0;
}

static struct json_object *reading_json(const char *text, size_t n)
{
    struct json_tokener *t = n <= INT_MAX ? json_tokener_new_ex(DEPTH) : NULL;
    struct json_object *root = t ? json_tokener_parse_ex(t, text, (int)n) : NULL;
    const bool whole = t && json_tokener_get_error(t) == json_tokener_success &&
                       json_tokener_get_parse_end(t) == n &&
                       json_object_is_type(root, json_type_object);
    if (t)
        json_tokener_free(t);
    if (whole)
        return root;
    json_object_put(root);
    return NULL;
}

int receipt_read(const void *text, size_t n, struct receipt *out, struct err *e)
{
    const char *p = text;
    struct receipt own = {.number = -1};
    *out = own;
    while (n && strchr("\r\n", p[n - 1]) && p[n - 1])
        n--;
    int r = reading_seal(p, n, e);
    if (r < 0)
        return r == -ENOMEM ? err_sys(e, r, "receipt") : r;
    cleanup(put_json) struct json_object *root = reading_json(p, n);
    if (!root)
        return err_set(e, -EBADMSG, "the receipt is damaged: it is not one object of JSON");
    r = reading_all(&(struct reading){.root = root, .c = &own, .e = e});
    if (r < 0) {
        receipt_clear(&own);
        return r == -ENOMEM ? err_sys(e, r, "receipt") : r;
    }
    *out = own;
    return 0;
}
