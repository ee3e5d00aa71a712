/* SPDX-License-Identifier: MIT */
#include "store/snapshot/omissions.h"

#include "store/base/array.h"
#include "store/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *words;
} whys[OMITTED_WHYS] = {
    [OMITTED_UNKNOWN] = {"unknown", "a shard that meta.db does not list"},
    [OMITTED_BAD] = {"bad", "set aside by influxd"},
    [OMITTED_UNREADABLE] = {"unreadable", "a folder that may not be read"},
    [OMITTED_FOREIGN] = {"foreign", "not influxd's, and may not be read"},
    [OMITTED_NAME] = {"name", "the format cannot express the name"},
};

int omissions_add(struct omissions *o, const char *name, uint64_t files, uint64_t bytes,
                  enum omission_why why)
{
    char *own = array_grow(&o->at, o->n) ? strdup(name) : NULL;
    if (!own)
        return -ENOMEM;
    o->at[o->n++] = (struct omission){own, files, bytes, why};
    return 0;
}

int omissions_copy(const struct omissions *from, struct omissions *to)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < from->n; i++) {
        const struct omission *m = &from->at[i];
        r = omissions_add(to, m->name, m->files, m->bytes, m->why);
    }
    return r;
}

void omissions_clear(struct omissions *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->at[i].name);
    free(o->at);
    *o = (struct omissions){0};
}

uint64_t omissions_bytes(const struct omissions *o)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < o->n; i++)
        sum += o->at[i].bytes;
    return sum;
}

size_t omissions_that_count(const struct omissions *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->n; i++)
        n += o->at[i].why != OMITTED_FOREIGN;
    return n;
}

const char *omission_why_name(enum omission_why why)
{
    return whys[why].name;
}

bool omission_why_find(const char *name, enum omission_why *out)
{
    for (size_t i = 0; i < OMITTED_WHYS; i++) {
        if (strcmp(whys[i].name, name) == 0) {
            *out = (enum omission_why)i;
            return true;
        }
    }
    return false;
}

/* Appends the whole text if it fits; otherwise appends nothing and returns false. */
static bool append(char *line, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool append(char *line, size_t size, const char *fmt, ...)
{
    size_t n = strlen(line);
    va_list ap;
    va_start(ap, fmt);
    int more = vsnprintf(line + n, size - n, fmt, ap);
    va_end(ap);
    if (more >= 0 && (size_t)more < size - n)
        return true;
    line[n] = 0;
    return false;
}

void omissions_say(const struct omissions *o, char *line, size_t size)
{
    const size_t tail = sizeof(", and 18446744073709551615 more");
    size_t said = 0;
    *line = 0;
    append(line, size, "left out: %zu, %" PRIu64 " bytes: ", o->n, omissions_bytes(o));
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < o->n; i++) {
            const struct omission *m = &o->at[i];
            if ((m->why == OMITTED_FOREIGN) != (pass == 1))
                continue;
            said += append(line, size > tail ? size - tail : 1, "%s%s (%s, %" PRIu64 " bytes)",
                           said ? ", " : "", m->name, whys[m->why].words, m->bytes);
        }
    if (said < o->n)
        append(line, size, "%sand %zu more", said ? ", " : "", o->n - said);
}

struct json_object *omissions_json(const struct omissions *o)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < o->n; i++) {
        const struct omission *m = &o->at[i];
        struct json_object *one = json_object_new_object();
        json_object_object_add(one, "name", json_text(m->name));
        json_object_object_add(one, "files", json_object_new_uint64(m->files));
        json_object_object_add(one, "bytes", json_object_new_uint64(m->bytes));
        json_object_object_add(one, "why", json_text(whys[m->why].name));
        json_object_array_add(list, one);
    }
    return list;
}

struct json_object *omissions_summary(const struct omissions *o, size_t most)
{
    struct json_object *sum = json_object_new_object(), *names = json_object_new_array();
    uint64_t files = 0;
    for (size_t i = 0; i < o->n; i++) {
        files += o->at[i].files;
        if (i < most)
            json_object_array_add(names, json_text(o->at[i].name));
    }
    json_object_object_add(sum, "count", json_object_new_uint64(o->n));
    json_object_object_add(sum, "files", json_object_new_uint64(files));
    json_object_object_add(sum, "bytes", json_object_new_uint64(omissions_bytes(o)));
    json_object_object_add(sum, "names", names);
    return sum;
}

static const char *text_of(struct json_object *v)
{
    return v && json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

static bool read_count(struct json_object *o, const char *key, uint64_t *out)
{
    struct json_object *v;
    if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_int) ||
        json_object_get_int64(v) < 0)
        return false;
    *out = json_object_get_uint64(v);
    return true;
}

static int omissions_parse_one(struct json_object *one, struct omissions *o)
{
    struct json_object *v = NULL;
    struct omission m = {.why = OMITTED_UNKNOWN};
    const char *name = text_of(one), *why;
    if (!one || name)
        return name ? omissions_add(o, name, 0, 0, OMITTED_UNKNOWN) : -EBADMSG;
    if (!json_object_is_type(one, json_type_object) ||
        !json_object_object_get_ex(one, "name", &v) || !(name = text_of(v)) ||
        !read_count(one, "files", &m.files) || !read_count(one, "bytes", &m.bytes) ||
        !json_object_object_get_ex(one, "why", &v) || !(why = text_of(v)))
        return -EBADMSG;
    /* A later version may have more causes; the omission must be reported all the same. */
    if (!omission_why_find(why, &m.why))
        m.why = OMITTED_UNREADABLE;
    return omissions_add(o, name, m.files, m.bytes, m.why);
}

int omissions_parse(struct json_object *list, struct omissions *o)
{
    int r = list && json_object_is_type(list, json_type_array) ? 0 : -EBADMSG;
    for (size_t i = 0; r == 0 && i < json_object_array_length(list); i++)
        r = omissions_parse_one(json_object_array_get_idx(list, i), o);
    return r;
}
