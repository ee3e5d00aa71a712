/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/telling.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/influxsnap/say.h"
#include "store/restore/advice.h"
#include "store/restore/chain_order.h"
#include "store/snapshot/damage.h"

#include <stdio.h>
#include <string.h>

#define LINE 700 /* what a line on stderr may take (struct err) */

static void say(enum snap_line how, const char *name, const char *line)
{
    snap_line(how, "%s%s%s", name ? name : "", name ? ": " : "", line);
}

void tell_left_out(const char *name, const struct omissions *left_out)
{
    char line[LINE];
    if (omissions_that_count(left_out) == 0)
        return;
    omissions_say(left_out, line, sizeof(line) - (name ? strlen(name) % 256 : 0));
    say(SNAP_WARN, name, line);
}

void tell_links(const char *name, const char *const *links, size_t n)
{
    char line[LINE];
    if (n == 0)
        return;
    snprintf(line, sizeof(line),
             "%zu folder%s behind a symbolic link (%.300s%s): the files are in the snapshot, and a "
             "restore makes a plain folder",
             n, plural(n), links[0], n > 1 ? ", …" : "");
    say(SNAP_WARN, name, line);
}

static void say_damaged(void *arg, const char *words, bool whole)
{
    ++*(size_t *)arg;
    snap_warn("%s%s", words, whole ? "; it is in the snapshot as it is" : "");
}

int tell_capture(const struct capture *c)
{
    size_t n, damaged = 0;
    struct err e = {0};
    const char *const *links = capture_links(c, &n);
    tell_links(NULL, links, n);
    tell_left_out(NULL, capture_left_out(c));
    if (damage_tell((struct capture *)c, say_damaged, &damaged, &e) < 0) {
        snap_warn("%s", e.text);
        damaged++;
    }
    return damaged || omissions_that_count(capture_left_out(c)) ? EXIT_OMISSIONS : EXIT_DONE;
}

void tell_json(struct json_object *o, const struct omissions *left_out, const char *const *links,
               size_t n)
{
    json_add(o, "left_out", omissions_json(left_out));
    json_add(o, "links", json_texts(links, n));
}

static void add_damaged(void *arg, const char *words, bool whole)
{
    (void)whole;
    json_object_array_add(arg, json_text(words));
}

void tell_capture_json(struct json_object *o, const struct capture *c)
{
    size_t n;
    struct json_object *damaged = json_object_new_array();
    damage_tell((struct capture *)c, add_damaged, damaged, NULL); /* what fails is said as text */
    json_add(o, "damaged", damaged);
    const char *const *links = capture_links(c, &n);
    tell_json(o, capture_left_out(c), links, n);
}

void advise_next(struct advise *a, char *meta, size_t len, const struct manifest *m)
{
    if (meta) {
        free(a->meta);
        a->meta = meta;
        a->len = len;
    }
    free(a->created);
    a->created = strdup(m->created);
    if (!a->keep_state)
        return;
    int r = m->kind == MANIFEST_INCREMENTAL && a->state ? chain_order_apply(a->state, m, NULL) : 1;
    if (r != 0)
        manifest_free(steal_ptr(&a->state));
    if (r == 1 && m->kind != MANIFEST_INCREMENTAL)
        manifest_copy(m, &a->state);
}

static void say_advice(void *arg, const char *line, bool warning)
{
    say(warning ? SNAP_WARN : SNAP_NOTE, arg, line);
}

void advise_tell(const struct advice *r, const char *name)
{
    advice_lines(r, say_advice, (void *)name);
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
    manifest_free(a->state);
    composed_clear(&a->composed);
    *a = (struct advise){0};
}

void advise_end(struct advise *a, const char *name, bool kept, struct json_object *into)
{
    struct advice r = {.created = steal_ptr(&a->created), .composed = a->composed};
    a->composed = (struct composed){0};
    if (a->meta) {
        r.unread = advice_census(&r.composed, a->meta, a->len, time_wall_ns(), &r.census, NULL) < 0;
        r.kept = kept;
        advise_tell(&r, name);
    }
    if (into)
        advise_json(&r, into);
    advice_clear(&r);
    advise_clear(a);
}
