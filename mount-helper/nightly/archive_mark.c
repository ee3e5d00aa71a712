/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_mark.h"

#include "store/base/array.h"
#include "store/base/json.h"
#include "store/base/utf8.h"
#include "store/sets/set.h"
#include "store/sets/set_name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool mark_owner(const char *name, const char *store, char run[RECEIPT_RUN + 1])
{
    const size_t end = RECEIPT_STORE + 1 + RECEIPT_RUN;
    char as_receipt[RECEIPT_NAME], of[RECEIPT_STORE + 1];
    if (strlen(name) <= end || (name[end] != '.' && name[end] != '-'))
        return false;
    snprintf(as_receipt, sizeof(as_receipt), "%.*s.json", (int)end, name);
    return receipt_is_name(as_receipt, of, run) &&
           strncmp(of, store, strnlen(store, RECEIPT_STORE)) == 0;
}

void mark_clear(struct mark *m)
{
    free(m->host);
    for (size_t i = 0; i < m->nnames; i++)
        free(m->names[i]);
    free(m->names);
    *m = (struct mark){0};
}

/* A text of the object; NULL: it has none. */
static const char *mark_get(struct json_object *o, const char *key)
{
    struct json_object *value;
    return json_get(o, key, json_type_string, &value) ? json_object_get_string(value) : NULL;
}

/* Any other could not be written as it is. */
static bool is_utf8(const char *name)
{
    for (size_t n = strlen(name), k; n > 0; name += k, n -= k)
        if ((k = utf8_character(name, n)) == 0)
            return false;
    return true;
}

static int mark_take_names(struct json_object *list, struct mark *m)
{
    if (!json_object_is_type(list, json_type_array))
        return -EBADMSG;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        const char *name =
            json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";
        if (strlen(name) != (size_t)json_object_get_string_len(item) || !is_utf8(name) ||
            (set_name_kind(name) != SET_LEGACY && !set_name_left_out(name)))
            return -EBADMSG;
        if (!array_grow(&m->names, m->nnames) || !(m->names[m->nnames] = strdup(name)))
            return -ENOMEM;
        m->nnames++;
    }
    return 0;
}

/* STORE and RUN are checked by the name that they make. */
static int mark_take(struct json_object *o, struct mark *m)
{
    const char *store = mark_get(o, "store"), *run = mark_get(o, "run"),
               *host = mark_get(o, "host");
    struct json_object *names = NULL;
    char name[RECEIPT_NAME];
    if (!store || !run || !host || strlen(store) != STORE_ID || strlen(run) != RECEIPT_RUN ||
        strspn(store, "0123456789abcdef") != STORE_ID)
        return -EBADMSG;
    snprintf(name, sizeof(name), "%.*s-%s.json", RECEIPT_STORE, store, run);
    if (!receipt_is_name(name, NULL, NULL))
        return -EBADMSG;
    strcpy(m->store, store);
    strcpy(m->run, run);
    if (!(m->host = strdup(host)))
        return -ENOMEM;
    json_object_object_get_ex(o, "names", &names);
    return mark_take_names(names, m);
}

int mark_read(const void *text, size_t n, struct mark *out, struct err *e)
{
    struct mark m = {0};
    struct json_tokener *t = json_tokener_new();
    struct json_object *o =
        t && n > 0 && n <= MARK_MAX ? json_tokener_parse_ex(t, text, (int)n) : NULL;
    int r = !t ? -ENOMEM : json_object_is_type(o, json_type_object) ? mark_take(o, &m) : -EBADMSG;
    json_object_put(o);
    json_tokener_free(t);
    if (r == 0) {
        *out = m;
        return 0;
    }
    mark_clear(&m);
    return r == -ENOMEM ? err_sys(e, r, "a mark") : err_set(e, r, "it is not the mark of a run");
}

int mark_text(const struct mark *m, struct buffer *out)
{
    struct json_object *o = json_object_new_object();
    json_add_count(o, "version", 1);
    json_add_text(o, "store", m->store);
    json_add_text(o, "host", m->host);
    json_add_text(o, "run", m->run);
    json_add(o, "names", json_texts((const char *const *)m->names, m->nnames));
    buffer_string(out, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                             JSON_C_TO_STRING_NOSLASHESCAPE));
    buffer_string(out, "\n");
    json_object_put(o);
    return out->failed ? -ENOMEM : 0;
}
