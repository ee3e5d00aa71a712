/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/advise.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/influxsnap/say.h"
#include "store/restore/advice.h"

#include <string.h>

void advise_next(struct advise *a, char *meta, size_t len, const struct manifest *m)
{
    if (meta) {
        free(a->meta);
        a->meta = meta;
        a->len = len;
    }
    free(a->created);
    a->created = strdup(m->created);
}

static void say(void *arg, const char *line, bool warning)
{
    const char *name = arg;
    void (*how)(const char *fmt, ...) = warning ? snap_warn : snap_note;
    how("%s%s%s", name ? name : "", name ? ": " : "", line);
}

void advise_tell(const struct advice *r, const char *name)
{
    advice_lines(r, say, (void *)name);
}

void advise_json(const struct advice *r, struct json_object *into)
{
    const struct meta_counts *n = &r->census.counts;
    json_object_object_add(into, "created", r->created ? json_text(r->created) : NULL);
    json_object_object_add(into, "users", json_object_new_uint64(n->users));
    json_object_object_add(into, "subscriptions", json_object_new_uint64(n->subscriptions));
    json_object_object_add(into, "continuous_queries", json_object_new_uint64(n->queries));
    struct json_object *damaged = json_object_new_array();
    for (size_t i = 0; i < r->ndamaged; i++)
        json_object_array_add(damaged, json_text(r->damaged[i]));
    json_object_object_add(into, "damaged", damaged);
}

void advise_clear(struct advise *a)
{
    free(a->meta);
    free(a->created);
    *a = (struct advise){0};
}

void advise_end(struct advise *a, const char *name, bool kept, struct json_object *into)
{
    struct advice r = {.created = steal_ptr(&a->created)};
    if (a->meta) {
        r.unread = census_take(a->meta, a->len, io_now_ns(), &r.census, NULL) < 0;
        r.kept = kept;
        advise_tell(&r, name);
    }
    if (into)
        advise_json(&r, into);
    advice_clear(&r);
    advise_clear(a);
}
