/* SPDX-License-Identifier: MIT */
/* influxsnap verify without PATH: the cuts of the store. */
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/chain/cut_verify.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/telling.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* The findings. */
struct cuts_verdict {
    bool json, quiet;
    struct meter meter;
    size_t good, damaged; /* cuts */
    uint64_t files, bytes;
    struct json_object *cuts;
    struct json_object *errors; /* of the cut at hand */
    struct err first;           /* the first trouble; or empty */
};

static const char *verify_name(const struct cut_info *cut, char out[48])
{
    char number[32];
    snap_cut_name(cut->head.number, number);
    snprintf(out, 48, cut->base && cut->head.number >= 0 ? "base (%s)" : "%s", number);
    return out;
}

static void verify_begins(void *arg, const char *path, uint64_t size)
{
    struct cuts_verdict *v = arg;
    meter_file(&v->meter, path, size);
}

static void verify_has_read(void *arg, uint64_t n)
{
    struct cuts_verdict *v = arg;
    meter_add(&v->meter, n);
}

static void verify_finds(void *arg, const struct cut_info *cut, const char *words)
{
    struct cuts_verdict *v = arg;
    char name[48];
    meter_hide(&v->meter);
    snap_say("cut %s: %s", verify_name(cut, name), words);
    if (!v->first.text[0])
        err_set(&v->first, 0, "cut %s: %s", name, words);
    json_object_array_add(v->errors, json_text(words));
}

static void verify_add_json(struct cuts_verdict *v, const struct cut_verified *c)
{
    struct json_object *o = json_object_new_object();
    json_add_number(o, "number", c->cut.head.number);
    json_add_bool(o, "base", c->cut.base);
    json_add_text(o, "id", c->cut.head.id);
    json_add_text(o, "state", c->damaged ? "damaged" : "good");
    json_add_count(o, "files", c->files);
    json_add_count(o, "tsm_files", c->tsm);
    json_add_count(o, "bytes", c->bytes);
    json_add_count(o, "first_checksums", c->fresh);
    json_add_count(o, "damaged_files", c->damaged);
    json_add(o, "errors", v->errors);
    tell_json(o, &c->list->left_out, c->list->links, c->list->nlinks);
    v->errors = json_object_new_array();
    json_object_array_add(v->cuts, o);
}

static void verify_cut_done(void *arg, const struct cut_verified *c)
{
    struct cuts_verdict *v = arg;
    char name[48];
    meter_hide(&v->meter);
    v->good += c->damaged == 0;
    v->damaged += c->damaged > 0;
    v->files += c->files;
    v->bytes += c->bytes;
    verify_add_json(v, c);
    tell_left_out(verify_name(&c->cut, name), &c->list->left_out);
    if (v->json || v->quiet)
        return;
    printf("%s: ", verify_name(&c->cut, name));
    if (c->damaged)
        printf("damaged, %zu file%s of the store then; ", c->damaged, plural(c->damaged));
    else
        printf("good, ");
    printf("%" PRIu64 " files (%" PRIu64 " of TSM), %" PRIu64 " bytes\n", c->files, c->tsm,
           c->bytes);
}

/* r: 0, or why the chain ends early, which `why` tells: a manifest is damaged, or missing. */
static void verify_print(const struct cuts_verdict *v, int r, const struct err *why)
{
    const char *broken = r < 0 ? why->text : NULL;
    if (v->json) {
        struct json_object *o = json_object_new_object();
        json_add_bool(o, "good", v->damaged == 0 && !broken);
        json_add(o, "cuts", json_object_get(v->cuts));
        json_add_text(o, "error", broken);
        json_add(o, "warnings", snap_warnings_json());
        snap_print_json(o);
    } else if (v->quiet) { /* one line, where all else is silent */
        printf("%zu cuts good, %zu damaged%s: %" PRIu64 " files, %" PRIu64 " bytes; %zu warnings\n",
               v->good, v->damaged + (r == -EBADMSG), r == -ENODATA ? ", 1 missing" : "", v->files,
               v->bytes, snap_warnings());
    } else if (v->good + v->damaged == 0 && !broken) {
        printf("no cuts\n");
    }
}

/* How many bytes there are to read; 0 if that is not known. */
static uint64_t verify_size(struct cuts *c)
{
    struct err broken;
    autofree struct cut_info *list = NULL;
    size_t n = 0;
    uint64_t bytes = 0;
    if (cuts_list(c, &list, &n, &broken, NULL) == 0)
        for (size_t i = 0; i < n; i++)
            bytes += list[i].bytes;
    return bytes;
}

/* Opens the cuts, if there may be any: without a state folder there are none. */
static int verify_open(struct snap *s, struct err *e)
{
    int r = snap_check_state(s, e);
    if (r == 0)
        r = snap_open(s, SNAP_UNTOUCHED, e);
    if (r < 0 || s->state)
        return r < 0 ? r : cuts_open(s->snapshots, s->state, &s->cuts, e);
    if (snap_cuts_unknown(s))
        return err_set(e, s->lacking, "%s", s->lacks.text);
    snap_note("%s", s->lacks.text);
    return 0;
}

/* The exit code. */
static int verify_cuts(struct cuts *c, struct cuts_verdict *v)
{
    struct err e = {0};
    const struct cut_verifier how = {.reader = &snap_reader,
                                     .file = verify_begins,
                                     .progress = verify_has_read,
                                     .damaged = verify_finds,
                                     .cut = verify_cut_done,
                                     .arg = v};
    meter_begin(&v->meter, "verifying", c ? verify_size(c) : 0);
    int r = c ? cuts_verify(c, &how, &e) : 0;
    meter_end(&v->meter);
    if (r < 0)
        snap_fail(r, &e);
    if (r < 0 && !v->first.text[0])
        v->first = e;
    if (r < 0 && r != -EBADMSG && r != -ENODATA)
        return EXIT_FAILED;
    verify_print(v, r, &e);
    if (v->damaged || r == -EBADMSG)
        return EXIT_CORRUPT;
    return r < 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

/* An interrupted one, or one of no cuts, says nothing of them. */
static void verify_cuts_remember(struct snap *s, const struct cuts_verdict *v, int64_t began_ns,
                                 int code)
{
    const struct history_entry end = {
        .result = code == EXIT_DONE ? HISTORY_DONE : HISTORY_FAILED,
        .bytes = v->bytes,
        .what = HISTORY_CUTS,
        .text = code == EXIT_DONE ? NULL : v->first.text,
    };
    if (!snap_stopped(NULL) && (v->good || v->first.text[0]))
        remember(s, HISTORY_VERIFY, began_ns, &end);
}

int snap_verify_cuts(struct snap *s)
{
    const int64_t began_ns = time_mono_ns();
    struct err e = {0};
    int r = verify_open(s, &e);
    if (r < 0)
        return snap_fail(r, &e);
    struct cuts_verdict v = {.json = s->o.json,
                             .quiet = s->o.quiet,
                             .cuts = json_object_new_array(),
                             .errors = json_object_new_array()};
    int code = verify_cuts(s->cuts, &v);
    verify_cuts_remember(s, &v, began_ns, code);
    json_object_put(v.cuts);
    json_object_put(v.errors);
    return code;
}
