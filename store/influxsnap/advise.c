/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/advise.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
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
    snap_line(warning ? SNAP_WARN : SNAP_NOTE, "%s%s%s", name ? name : "", name ? ": " : "", line);
}

void advise_tell(const struct advice *r, const char *name)
{
    advice_lines(r, say, (void *)name);
}

void advise_json(const struct advice *r, struct json_object *into)
{
    const struct meta_counts *n = &r->census.counts;
    json_add_text(into, "created", r->created);
    json_add_count(into, "users", n->users);
    json_add_count(into, "subscriptions", n->subscriptions);
    json_add_count(into, "continuous_queries", n->queries);
    json_add(into, "damaged", json_texts((const char *const *)r->damaged, r->ndamaged));
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
        r.unread = census_take(a->meta, a->len, time_wall_ns(), &r.census, NULL) < 0;
        r.kept = kept;
        advise_tell(&r, name);
    }
    if (into)
        advise_json(&r, into);
    advice_clear(&r);
    advise_clear(a);
}
