/* SPDX-License-Identifier: MIT */
#include "store/restore/progress.h"

#include "store/base/io.h"
#include "store/base/json.h"
#include "store/restore/reslog.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"idle",     "receiving", "verified", "installing",
                                    "restored", "pending",   "refused"};

/* Status is no reason to fail: where memory is out a text is missing. */
static void set(char **to, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    free(*to);
    *to = copy;
}

void progress_begin(struct progress *s, const char *name)
{
    set(&s->name, name);
    set(&s->id, NULL);
    set(&s->error, NULL);
    s->state = PROGRESS_RECEIVING;
    s->bytes = s->total_bytes = 0;
    s->files = s->total_files = 0;
    s->started_ns = io_now_ns();
    s->ended_ns = 0;
}

void progress_manifest(struct progress *s, const struct manifest *m)
{
    set(&s->id, m->id);
    s->total_bytes = m->bytes;
    s->total_files = m->nfiles;
}

void progress_state(struct progress *s, enum progress_state state, const char *name,
                    const char *error)
{
    if (!s->name || strcmp(s->name, name) != 0)
        set(&s->name, name);
    set(&s->error, error);
    s->state = state;
    s->ended_ns = progress_ended(s) ? io_now_ns() : 0;
}

void progress_kept(struct progress *s, char *const kept[], size_t n)
{
    for (size_t i = 0; i < sizeof(s->kept) / sizeof(*s->kept); i++)
        set(&s->kept[i], i < n ? kept[i] : NULL);
}

void progress_warn(struct progress *s, const char *text)
{
    char **more = realloc(s->warnings, (s->nwarnings + 1) * sizeof(*more));
    if (!more)
        return;
    s->warnings = more;
    more[s->nwarnings] = strdup(text);
    s->nwarnings += more[s->nwarnings] != NULL;
}

void progress_forget_warnings(struct progress *s)
{
    for (size_t i = 0; i < s->nwarnings; i++)
        free(s->warnings[i]);
    free(s->warnings);
    s->warnings = NULL;
    s->nwarnings = 0;
}

void progress_clear(struct progress *s)
{
    progress_forget_warnings(s);
    set(&s->name, NULL);
    set(&s->id, NULL);
    set(&s->error, NULL);
    progress_kept(s, NULL, 0);
    session_waiting_free(s->waiting, s->nwaiting);
    s->waiting = NULL;
    s->nwaiting = 0;
}

static void copy_waiting(const struct progress *from, struct progress *to)
{
    to->waiting = calloc(from->nwaiting + 1, sizeof(*to->waiting));
    to->nwaiting = to->waiting ? from->nwaiting : 0;
    for (size_t i = 0; i < to->nwaiting; i++) {
        const struct session_waiting *w = &from->waiting[i];
        to->waiting[i].number = w->number;
        set(&to->waiting[i].name, w->name);
        set(&to->waiting[i].id, w->id);
        set(&to->waiting[i].parent, w->parent);
        set(&to->waiting[i].waits_for, w->waits_for);
    }
}

void progress_copy(const struct progress *from, struct progress *to)
{
    *to = (struct progress){
        .state = from->state,
        .bytes = from->bytes,
        .total_bytes = from->total_bytes,
        .files = from->files,
        .total_files = from->total_files,
        .started_ns = from->started_ns,
        .ended_ns = from->ended_ns,
    };
    set(&to->name, from->name);
    set(&to->id, from->id);
    set(&to->error, from->error);
    progress_kept(to, from->kept, sizeof(from->kept) / sizeof(*from->kept));
    for (size_t i = 0; i < from->nwarnings; i++)
        progress_warn(to, from->warnings[i]);
    copy_waiting(from, to);
}

static void add_time(struct json_object *o, const char *key, int64_t ns)
{
    char text[RESLOG_TIME];
    reslog_time(ns, text);
    json_add_text(o, key, ns ? text : NULL);
}

static struct json_object *waiting_json(const struct progress *s)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < s->nwaiting; i++) {
        const struct session_waiting *w = &s->waiting[i];
        struct json_object *o = json_object_new_object();
        if (!o)
            break;
        json_add_text(o, "name", w->name);
        json_add(o, "number", json_object_new_int64(w->number));
        json_add_text(o, "id", w->id);
        json_add_text(o, "parent", w->parent);
        json_add_text(o, "waits_for", w->waits_for);
        json_object_array_add(list, o);
    }
    return list;
}

struct json_object *progress_object(const struct progress *s, uint64_t restores)
{
    struct json_object *o = json_object_new_object(), *kept;
    if (!o)
        return NULL;
    json_add_text(o, "state", names[s->state]);
    json_add_text(o, "name", s->name);
    json_add_text(o, "id", s->id);
    json_add_count(o, "bytes", s->bytes);
    json_add_count(o, "total_bytes", s->total_bytes);
    json_add_count(o, "files", s->files);
    json_add_count(o, "total_files", s->total_files);
    add_time(o, "started", s->started_ns);
    add_time(o, "ended", s->ended_ns);
    json_add_text(o, "error", s->error);
    kept = json_object_new_array();
    for (size_t i = 0; i < sizeof(s->kept) / sizeof(*s->kept); i++)
        if (s->kept[i])
            json_object_array_add(kept, json_text(s->kept[i]));
    json_add(o, "kept", kept);
    json_add(o, "warnings", json_texts((const char *const *)s->warnings, s->nwarnings));
    json_add_count(o, "restores", restores);
    json_add(o, "pending", waiting_json(s));
    return o;
}

int progress_json(const struct progress *s, uint64_t restores, char **text)
{
    struct json_object *o = progress_object(s, restores);
    if (!o)
        return -ENOMEM;
    const char *json =
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    int r = json && asprintf(text, "%s\n", json) >= 0 ? 0 : -ENOMEM;
    json_object_put(o);
    return r;
}
