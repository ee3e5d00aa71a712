/* SPDX-License-Identifier: MIT */
/* influxsnap cut, list and prune: the cuts of the store. */
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/size.h"
#include "store/base/time.h"
#include "store/chain/cut_links.h"
#include "store/chain/cut_loss.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/telling.h"
#include "store/program/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REMEMBERED "influxsnap cut" /* in the history */

/* A damaged chain of cuts counts as one that lacks something. */
static int fail(int r, const struct err *e)
{
    snap_fail(r, e);
    return r == -EBADMSG ? EXIT_INCOMPLETE : EXIT_FAILED;
}

/* cut */

struct cutting {
    struct meter meter;
    struct json_object *told; /* what to say of the captured store */
    struct cut_result result;
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

static void cut_print(const struct snap *s, const struct cut_result *c, struct json_object *told)
{
    char name[32], lost[LOSS_WORDS];
    snap_cut_name(c->number, name);
    if (s->o.json) {
        struct json_object *o = json_object_new_object();
        json_object_object_foreach(told, key, value) json_add(o, key, json_object_get(value));
        json_add_bool(o, "made", c->made);
        json_add_number(o, "number", c->number);
        json_add_text(o, "id", c->id);
        json_add_count(o, "files", c->files);
        json_add_count(o, "bytes", c->bytes);
        json_add_count(o, "copied", c->copied);
        json_add_count(o, "copied_bytes", c->copied_bytes);
        json_add(o, "lost", loss_json_of_cut(&c->head));
        json_add(o, "warnings", snap_warnings_json());
        snap_print_json(o);
    } else if (c->made) {
        printf("cut %s: %" PRIu64 " file%s, %" PRIu64 " bytes; %" PRIu64 " of them, %" PRIu64
               " bytes, copied\n",
               name, c->files, plural(c->files), c->bytes, c->copied, c->copied_bytes);
        if (*loss_words(&c->head.lost, lost))
            printf("since the cut before it %s\n", lost);
    } else {
        printf("nothing has changed since cut %s\n", name);
    }
}

static void warn_guarded(const struct prune_result *p)
{
    if (p->guarded)
        snap_warn("cut %" PRId64
                  " lost so much that it is not folded, nor what follows it; if that may be lost, "
                  "say: influxsnap prune --accept-loss=%" PRId64,
                  p->guarded_number, p->guarded_number);
}

/* Not at every cut, so that the base and its mirrors change rarely. */
static int cut_fold(struct snap *s, struct err *e)
{
    autofree struct cut_info *list = NULL;
    struct prune_result done;
    size_t n;
    if (s->o.keep == OPTIONS_KEEP_ALL)
        return 0;
    int r = cuts_list(s->cuts, &list, &n, NULL, e);
    if (r < 0 || n <= 1 || (n - 1) / 2 < s->o.keep)
        return r;
    r = cuts_prune(s->cuts, s->o.keep, &done, e);
    if (r == 0)
        warn_guarded(&done);
    return r;
}

/* Says beforehand if the first cut has to copy files, which may take hours, and refuses it if it
 * cannot succeed. */
static int cut_check_links(struct snap *s, bool *told, struct err *e)
{
    char size[SIZE_TEXT];
    struct cut_info newest;
    struct cut_links links;
    if (cuts_latest(s->cuts, &newest, NULL) != -ENOENT)
        return 0;
    int r = cut_links_try(s->cuts, &s->paths, &s->o.rules, &links, e);
    if (r == 0)
        r = cut_links_room(s->cuts, &s->o.rules, &links, e);
    *told = r == 0 && links.files > 0;
    if (!*told)
        return r;
    size_text((double)links.bytes, size);
    snap_say("%" PRIu64 " file%s, %s, to be copied: %s", links.files, plural(links.files), size,
             links.why.text);
    return 0;
}

/* Nothing is missing from the cut itself. */
static void tell_loss(const struct cut_result *c)
{
    char lost[LOSS_WORDS];
    if (!c->made || c->head.guard != CUT_GUARD_TRIPPED)
        return;
    snap_warn("cut %" PRId64
              ": %s; neither it nor later cuts are folded until you accept the loss with "
              "influxsnap prune --accept-loss=%" PRId64,
              c->number, loss_words(&c->head.lost, lost), c->number);
}

static void put_told(struct cutting *c)
{
    json_object_put(c->told);
}

static int cut_store(struct snap *s, struct cutting *c, struct err *e)
{
    struct cut_result *result = &c->result;
    bool told = false;
    int r = snap_open(s, SNAP_CUTS, e);
    if (r == 0)
        r = cut_check_links(s, &told, e);
    if (r < 0)
        return r;
    meter_begin(&c->meter, "backing up", 0);
    s->o.rules.file = retained;
    s->o.rules.captured = captured;
    s->o.rules.arg = c;
    r = cuts_make(s->cuts, &s->o.rules, &snap_reader, result, e);
    meter_end(&c->meter);
    if (r < 0)
        return r;
    if (result->said.text[0] && !told)
        snap_say("%s", result->said.text);
    tell_loss(result);
    cut_print(s, result, c->told);
    return cut_fold(s, e);
}

/* Whether the last cut that is remembered failed. */
static bool cut_had_failed(const struct snap *s)
{
    cleanup(history_clear) struct history h = {0};
    if (!s->state || history_read(s->state, &h, NULL) < 0)
        return false;
    for (size_t i = 0; i < h.of[HISTORY_BACKUP].n; i++)
        if (strcmp(h.of[HISTORY_BACKUP].at[i].what, REMEMBERED) == 0)
            return h.of[HISTORY_BACKUP].at[i].result == HISTORY_FAILED;
    return false;
}

/* A cut that was made can be seen. One that was not leaves no other trace. */
static void cut_remember(struct snap *s, int64_t began_ns, const struct cutting *c, int r,
                         const struct err *why)
{
    struct history_entry end = {.result = HISTORY_DONE, .what = REMEMBERED};
    const bool unchanged = r >= 0 && !c->result.made;
    if (snap_stopped(NULL) || (r >= 0 && !unchanged && !cut_had_failed(s)))
        return;
    if (r < 0) {
        end.result = HISTORY_FAILED;
        end.text = why->text;
    } else if (unchanged) {
        end.id = c->result.id;
        end.text = HISTORY_UNCHANGED;
    }
    remember(s, HISTORY_BACKUP, began_ns, &end);
}

int snap_cut(struct snap *s)
{
    const int64_t began_ns = time_mono_ns();
    struct err e = {0};
    cleanup(put_told) struct cutting c = {.told = json_object_new_object()};
    int r = cut_store(s, &c, &e);
    cut_remember(s, began_ns, &c, r, &e);
    return r < 0 ? fail(r, &e) : c.code;
}

/* list */

static void cut_list_json(const struct cut_info *list, size_t n, const struct err *broken)
{
    struct json_object *o = json_object_new_object(), *cuts = json_object_new_array();
    for (size_t i = 0; i < n; i++)
        json_object_array_add(cuts, report_cut_json(&list[i], i ? &list[i - 1] : NULL, true));
    json_add(o, "cuts", cuts);
    json_add_text(o, "error", broken->text);
    snap_print_json(o);
}

/* The end of a cut's line: what is unusual. */
static void cut_list_notes(const struct cut_info *c, const struct cut_info *before)
{
    static const char *const guard[] = {"", "NOT FOLDED: ", "accepted: "};
    char lost[LOSS_WORDS];
    const char *gap = "  ";
    if (report_clock_set(c, before)) {
        printf("%sthe clock was set back before it", gap);
        gap = "; ";
    }
    if (*loss_words(&c->head.lost, lost))
        printf("%s%s%s", gap, guard[c->head.guard], lost);
    putchar('\n');
}

static void cut_list_text(const struct cut_info *list, size_t n)
{
    if (n)
        printf("%-12s %-30s %8s %14s  %-32s  %s\n", "CUT", "TIME", "FILES", "BYTES", "ID", "NOTES");
    for (size_t i = 0; i < n; i++) {
        char name[48], number[32], time[TIME_TEXT];
        snap_cut_name(list[i].head.number, number);
        snprintf(name, sizeof(name), list[i].base && list[i].head.number >= 0 ? "base (%s)" : "%s",
                 number);
        time_exact_text(list[i].head.wall_ns, time);
        printf("%-12s %-30s %8" PRIu64 " %14" PRIu64 "  %s", name, time, list[i].files,
               list[i].bytes, list[i].head.id);
        cut_list_notes(&list[i], i ? &list[i - 1] : NULL);
    }
}

int snap_list(struct snap *s)
{
    struct err e = {0}, broken = {0};
    autofree struct cut_info *list = NULL;
    size_t n = 0;
    int r = snap_check_state(s, &e);
    if (r == 0)
        r = snap_open(s, SNAP_LOOK, &e);
    if (r == 0 && s->state)
        r = cuts_open(NULL, s->state, &s->cuts, &e);
    if (r == 0 && s->cuts)
        r = cuts_list(s->cuts, &list, &n, &broken, &e);
    if (r < 0)
        return fail(r, &e);
    bool unknown = snap_cuts_unknown(s);
    if (unknown)
        broken = s->lacks;
    else if (!s->state)
        snap_say("%s: no cuts", s->lacks.text);
    if (s->o.json)
        cut_list_json(list, n, &broken);
    else
        cut_list_text(list, n);
    if (unknown)
        return snap_fail(s->lacking, &s->lacks);
    return broken.text[0] ? fail(-EBADMSG, &broken) : EXIT_DONE;
}

/* prune */

static void cut_print_pruned(const struct snap *s, const struct prune_result *p)
{
    char name[32];
    snap_cut_name(p->base, name);
    if (s->o.json) {
        struct json_object *o = json_object_new_object();
        json_add_count(o, "folded", p->folded);
        json_add_number(o, "base", p->base);
        json_add_count(o, "removed", p->removed);
        json_add_count(o, "freed", p->freed);
        json_add_bool(o, "held_back", p->held_back);
        json_add_number(o, "guarded", p->guarded ? p->guarded_number : -1);
        json_add_number(o, "accepted", s->o.accept_loss);
        snap_print_json(o);
    } else if (p->folded) {
        printf("%" PRIu64 " number%s folded, the base stands for %s; %" PRIu64
               " file%s removed, %" PRIu64 " bytes freed\n",
               p->folded, plural(p->folded), name, p->removed, plural(p->removed), p->freed);
    } else {
        printf("nothing to fold\n");
    }
}

int snap_prune(struct snap *s)
{
    struct err e = {0};
    struct prune_result result = {.base = -1};
    int r = snap_open(s, SNAP_CUTS, &e);
    if (r == 0 && s->o.accept_loss >= 0 &&
        (r = cuts_accept_loss(s->cuts, s->o.accept_loss, &e)) < 0)
        return fail(r, &e);
    if (r == 0)
        r = cuts_prune(s->cuts, s->o.keep, &result, &e);
    if (r < 0 && (r != -ENOENT || !s->cuts)) /* no cuts are none to fold */
        return fail(r, &e);
    if (result.held_back)
        snap_warn("a cut that is in use kept more from being folded");
    warn_guarded(&result);
    cut_print_pruned(s, &result);
    return result.guarded ? EXIT_OMISSIONS : EXIT_DONE;
}
