/* SPDX-License-Identifier: MIT */
#include "store/restore/progress.h"

#include "store/base/array.h"
#include "store/base/json.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void clear_waiting(struct waiting *w)
{
    free(w->name);
    free(w->id);
    free(w->parent);
    free(w->waits_for);
}

int waiting_add(struct waiting_list *list, const char *name, const struct manifest *m,
                const char *waits_for)
{
    struct waiting w = {strdup(name), m->number, strdup(m->id), strdup(m->parent),
                        strdup(waits_for)};
    if (!w.name || !w.id || !w.parent || !w.waits_for || !array_grow(&list->at, list->n)) {
        clear_waiting(&w);
        return -ENOMEM;
    }
    list->at[list->n++] = w;
    return 0;
}

int waiting_copy(const struct waiting_list *list, struct waiting_list *out)
{
    struct waiting_list copy = {0};
    for (size_t i = 0; i < list->n; i++) {
        const struct waiting *w = &list->at[i];
        const struct manifest m = {.number = w->number, .id = w->id, .parent = w->parent};
        if (waiting_add(&copy, w->name, &m, w->waits_for) < 0) {
            waiting_free(&copy);
            return -ENOMEM;
        }
    }
    *out = copy;
    return 0;
}

void waiting_free(struct waiting_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        clear_waiting(&list->at[i]);
    free(list->at);
    *list = (struct waiting_list){0};
}

static const char *const names[] = {"idle",     "receiving", "verified", "installing",
                                    "restored", "pending",   "refused"};

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
    free(s->name);
    free(s->id);
    free(s->error);
    for (int i = 0; i < TARGETS; i++)
        free(s->kept[i]);
    waiting_free(&s->waiting);
    composed_clear(&s->composed);
    *s = (struct progress){0};
}

static char *copy_text(const char *text)
{
    return text ? strdup(text) : NULL;
}

void progress_copy(const struct progress *from, struct progress *to)
{
    *to = *from;
    to->name = copy_text(from->name);
    to->id = copy_text(from->id);
    to->error = copy_text(from->error);
    for (int i = 0; i < TARGETS; i++)
        to->kept[i] = copy_text(from->kept[i]);
    to->warnings = NULL;
    to->nwarnings = 0;
    for (size_t i = 0; i < from->nwarnings; i++) {
        char *text = strdup(from->warnings[i]);
        if (text && array_grow(&to->warnings, to->nwarnings))
            to->warnings[to->nwarnings++] = text;
        else
            free(text);
    }
    to->waiting = (struct waiting_list){0};
    waiting_copy(&from->waiting, &to->waiting);
    to->composed = (struct composed){0};
    composed_copy(&from->composed, &to->composed);
}

static void add_time(struct json_object *o, const char *key, int64_t ns)
{
    char text[TIME_TEXT];
    time_text(ns, text);
    json_add_text(o, key, ns ? text : NULL);
}

static struct json_object *progress_waiting(const struct progress *s)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < s->waiting.n; i++) {
        const struct waiting *w = &s->waiting.at[i];
        struct json_object *o = json_object_new_object();
        if (!o)
            break;
        json_add_text(o, "name", w->name);
        json_add_number(o, "number", w->number);
        json_add_text(o, "id", w->id);
        json_add_text(o, "parent", w->parent);
        json_add_text(o, "waits_for", w->waits_for);
        json_object_array_add(list, o);
    }
    return list;
}

struct json_object *progress_object(const struct progress *s)
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
    for (size_t i = 0; i < TARGETS; i++)
        if (s->kept[i])
            json_object_array_add(kept, json_text(s->kept[i]));
    json_add(o, "kept", kept);
    json_add(o, "databases", composed_json(&s->composed));
    json_add(o, "warnings", json_texts((const char *const *)s->warnings, s->nwarnings));
    json_add_count(o, "restores", s->restores);
    json_add(o, "pending", progress_waiting(s));
    return o;
}
