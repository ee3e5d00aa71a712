/* SPDX-License-Identifier: MIT */
/* influxsnap cut, list and prune: the cuts of the store. */
#include "store/base/cleanup.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/telling.h"
#include "store/influxsnap/words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A damaged chain of cuts is one that lacks something. */
static int fail(int r, const struct err *e)
{
    snap_fail(r, e);
    return r == -EBADMSG ? EXIT_INCOMPLETE : EXIT_FAILED;
}

/* cut */

struct cutting {
    struct meter meter;
    struct json_object *told; /* what is to be said of the store as it was captured */
    int code;
};

static void retained(void *arg, const char *path, uint64_t size, bool linked)
{
    struct cutting *c = arg;
    (void)linked;
    meter_file(&c->meter, path, size);
    meter_add(&c->meter, size);
}

static void captured(void *arg, const struct capture *c)
{
    struct cutting *cutting = arg;
    meter_hide(&cutting->meter);
    cutting->code = tell_capture(c);
    tell_capture_json(cutting->told, c);
}

static void print_cut(const struct snap *s, const struct cut_result *c, struct json_object *told)
{
    char name[32];
    words_cut(c->number, name);
    if (s->o.json) {
        struct json_object *o = json_object_new_object();
        json_object_object_foreach(told, key, value)
            json_object_object_add(o, key, json_object_get(value));
        json_object_object_add(o, "made", json_object_new_boolean(c->made));
        json_object_object_add(o, "number",
                               c->number < 0 ? NULL : json_object_new_int64(c->number));
        json_object_object_add(o, "id", json_object_new_string(c->id));
        json_object_object_add(o, "files", json_object_new_uint64(c->files));
        json_object_object_add(o, "bytes", json_object_new_uint64(c->bytes));
        json_object_object_add(o, "copied", json_object_new_uint64(c->copied));
        json_object_object_add(o, "copied_bytes", json_object_new_uint64(c->copied_bytes));
        words_json(o);
    } else if (c->made) {
        printf("cut %s: %" PRIu64 " files, %" PRIu64 " bytes; %" PRIu64 " of them, %" PRIu64
               " bytes, copied\n",
               name, c->files, c->bytes, c->copied, c->copied_bytes);
    } else {
        printf("nothing has changed since cut %s\n", name);
    }
}

/* Not at every cut, so that the base, and a mirror of it, changes rarely. */
static int fold(struct snap *s, struct err *e)
{
    autofree struct cut_info *list = NULL;
    struct prune_result done;
    size_t n;
    int r = s->o.have_keep ? cuts_list(s->cuts, &list, &n, NULL, e) : 0;
    if (r < 0 || !s->o.have_keep || n <= 1 || (n - 1) / 2 < s->o.keep)
        return r;
    return cuts_prune(s->cuts, s->o.keep, &done, e);
}

static void put_told(struct cutting *c)
{
    json_object_put(c->told);
}

int snap_cut(struct snap *s)
{
    struct err e = {0};
    struct cut_result result;
    cleanup(put_told) struct cutting c = {.told = json_object_new_object()};
    int r = snap_open(s, SNAP_CUTS, &e);
    if (r < 0)
        return fail(r, &e);
    meter_begin(&c.meter, "backing up", 0);
    s->o.rules.file = retained;
    s->o.rules.captured = captured;
    s->o.rules.arg = &c;
    r = cuts_make(s->cuts, &s->o.rules, &snap_reader, &result, &e);
    meter_end(&c.meter);
    if (r < 0)
        return fail(r, &e);
    if (result.said.text[0])
        snap_say("%s", result.said.text);
    print_cut(s, &result, c.told);
    r = fold(s, &e);
    return r < 0 ? fail(r, &e) : c.code;
}

/* list */

static void list_json(const struct cut_info *list, size_t n, const struct err *broken)
{
    struct json_object *o = json_object_new_object(), *cuts = json_object_new_array();
    for (size_t i = 0; i < n; i++)
        json_object_array_add(cuts, words_cut_json(&list[i]));
    json_object_object_add(o, "cuts", cuts);
    json_object_object_add(o, "error",
                           broken->text[0] ? json_object_new_string(broken->text) : NULL);
    words_json(o);
}

static void list_text(const struct cut_info *list, size_t n)
{
    if (n)
        printf("%-12s %-30s %8s %14s  %s\n", "CUT", "TIME", "FILES", "BYTES", "ID");
    for (size_t i = 0; i < n; i++) {
        char name[48], number[32], time[40];
        words_cut(list[i].head.number, number);
        snprintf(name, sizeof(name), list[i].base && list[i].head.number >= 0 ? "base (%s)" : "%s",
                 number);
        words_time(list[i].head.created_ns, time);
        printf("%-12s %-30s %8" PRIu64 " %14" PRIu64 "  %s\n", name, time, list[i].files,
               list[i].bytes, list[i].head.id);
    }
}

int snap_list(struct snap *s)
{
    struct err e = {0}, broken = {0};
    autofree struct cut_info *list = NULL;
    size_t n = 0;
    int r = snap_open(s, SNAP_LOOK, &e);
    if (r == 0 && s->state)
        r = cuts_open(NULL, s->state, &s->cuts, &e);
    if (r == 0 && s->cuts)
        r = cuts_list(s->cuts, &list, &n, &broken, &e);
    if (r < 0)
        return fail(r, &e);
    if (s->lacks.text[0])
        snap_say("%s: no cuts", s->lacks.text);
    if (s->o.json)
        list_json(list, n, &broken);
    else
        list_text(list, n);
    return broken.text[0] ? fail(-EBADMSG, &broken) : EXIT_DONE;
}

/* prune */

static void print_pruned(const struct snap *s, const struct prune_result *p)
{
    char name[32];
    words_cut(p->base, name);
    if (s->o.json) {
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "folded", json_object_new_uint64(p->folded));
        json_object_object_add(o, "base", p->base < 0 ? NULL : json_object_new_int64(p->base));
        json_object_object_add(o, "removed", json_object_new_uint64(p->removed));
        json_object_object_add(o, "freed", json_object_new_uint64(p->freed));
        json_object_object_add(o, "held_back", json_object_new_boolean(p->held_back));
        words_json(o);
    } else if (p->folded) {
        printf("%" PRIu64 " numbers folded, the base stands for %s; %" PRIu64
               " files removed, %" PRIu64 " bytes freed\n",
               p->folded, name, p->removed, p->freed);
    } else {
        printf("nothing to fold\n");
    }
}

int snap_prune(struct snap *s)
{
    struct err e = {0};
    struct prune_result result = {.base = -1};
    int r = snap_open(s, SNAP_CUTS, &e);
    if (r == 0)
        r = cuts_prune(s->cuts, s->o.have_keep ? s->o.keep : INT64_MAX, &result, &e);
    if (r < 0 && r != -ENOENT) /* no cuts are none to fold */
        return fail(r, &e);
    if (r == -ENOENT && !s->cuts)
        return fail(r, &e);
    if (result.held_back)
        snap_say("a cut that is in use kept more from being folded");
    print_pruned(s, &result);
    return EXIT_DONE;
}
