/* SPDX-License-Identifier: MIT */
#include "store/restore/progress.h"

#include "store/base/json.h"
#include "store/base/time.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"idle",     "receiving", "verified", "installing",
                                    "restored", "pending",   "refused"};

static void add_text(struct json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, text ? json_text(text) : NULL);
}

static void add_time(struct json_object *o, const char *key, int64_t ns)
{
    char text[TIME_TEXT];
    time_text(ns, text);
    add_text(o, key, ns ? text : NULL);
}

static struct json_object *progress_waiting(const struct progress *s)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < s->waiting.n; i++) {
        const struct waiting *w = &s->waiting.at[i];
        struct json_object *o = json_object_new_object();
        if (!o)
            break;
        add_text(o, "name", w->name);
        json_object_object_add(o, "number", json_object_new_int64(w->number));
        add_text(o, "id", w->id);
        add_text(o, "parent", w->parent);
        add_text(o, "waits_for", w->waits_for);
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *warnings_json(const struct progress *s)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < s->nwarnings; i++)
        json_object_array_add(list, json_text(s->warnings[i]));
    return list;
}

int progress_json(const struct progress *s, char **text)
{
    struct json_object *o = json_object_new_object();
    struct json_object *kept = json_object_new_array();
    if (!o || !kept) {
        json_object_put(o);
        json_object_put(kept);
        return -ENOMEM;
    }
    add_text(o, "state", names[s->state]);
    add_text(o, "name", s->name);
    add_text(o, "id", s->id);
    json_object_object_add(o, "bytes", json_object_new_uint64(s->bytes));
    json_object_object_add(o, "total_bytes", json_object_new_uint64(s->total_bytes));
    json_object_object_add(o, "files", json_object_new_uint64(s->files));
    json_object_object_add(o, "total_files", json_object_new_uint64(s->total_files));
    add_time(o, "started", s->started_ns);
    add_time(o, "ended", s->ended_ns);
    add_text(o, "error", s->error);
    for (size_t i = 0; i < TARGETS; i++)
        if (s->kept[i])
            json_object_array_add(kept, json_text(s->kept[i]));
    json_object_object_add(o, "kept", kept);
    json_object_object_add(o, "warnings", warnings_json(s));
    json_object_object_add(o, "restores", json_object_new_uint64(s->restores));
    json_object_object_add(o, "pending", progress_waiting(s));
    const char *json =
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    int r = json && asprintf(text, "%s\n", json) >= 0 ? 0 : -ENOMEM;
    json_object_put(o);
    return r;
}
