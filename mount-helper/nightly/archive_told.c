/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_told.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/telling.h"
#include "store/snapshot/damage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "swift:2016-06-11/2016-06-11/shards" or, with a name, that object in it; fresh memory. */
static char *told_path(const struct archive_told *t, const char *name)
{
    const struct remote *r = t->place->remote;
    autofree char *folder = dayname_folder(t->place->format, t->place->day, DAYNAME_SHARDS);
    autofree char *below = folder ? path_join(folder, name) : NULL;
    char *path = NULL;
    if (!below || asprintf(&path, "%s%s%s", remote_name(r), remote_slash(r), below) < 0)
        return NULL;
    return path;
}

/* What it is, in words; with what it builds on. */
static void told_words(const struct archive_told *t, struct err *out)
{
    const struct receipt *c = t->receipt;
    if (c->form == RECEIPT_LEGACY)
        err_set(out, 0, "a legacy set");
    else if (c->form == RECEIPT_FULL)
        err_set(out, 0, "a full snapshot");
    else if (archive_source_count(t->source) == 0)
        err_set(out, 0, "nothing has changed since %s", c->follows.day);
    else
        err_set(out, 0, "number %" PRId64 ", after %s", c->number, c->follows.day);
}

/* Of a day of which runs go, others may stay. */
static bool told_stays(const struct archive_kept *k, int32_t day)
{
    for (size_t i = 0; i < k->nkept; i++)
        if (k->kept[i] == day)
            return true;
    return false;
}

static void told_print_removed(const char *words, const struct archive_kept *k)
{
    char day[TIME_TEXT];
    for (size_t i = 0; i < k->nremoved; i++) {
        time_day_text(k->removed[i], day);
        printf("%s%s%s", i ? ", " : words, day,
               told_stays(k, k->removed[i]) ? " (but what later ones build on)" : "");
    }
    if (k->nremoved)
        printf("\n");
}

static int told_plan(const struct archive_told *t, struct json_object *into, struct err *e)
{
    for (size_t i = 0; i < archive_source_count(t->source); i++) {
        struct remote_source from;
        int r = archive_source_open(t->source, i, &from, e);
        if (r < 0)
            return r;
        const char *name = archive_source_name(t->source, i);
        if (!into) {
            printf("would upload %s, %" PRIu64 " bytes\n", name, from.size);
            continue;
        }
        struct json_object *o = json_object_new_object();
        json_add_text(o, "name", name);
        json_add_count(o, "size", from.size);
        json_object_array_add(into, o);
    }
    return 0;
}

static void told_add_objects(const struct receipt *c, struct json_object *into)
{
    for (size_t i = 0; i < c->nobjects; i++) {
        struct json_object *o = json_object_new_object();
        json_add_text(o, "name", c->objects[i].name);
        json_add_count(o, "size", c->objects[i].size);
        json_add_text(o, "sha256", c->objects[i].sha256);
        json_object_array_add(into, o);
    }
}

static struct json_object *told_days(const int32_t *days, size_t n)
{
    struct json_object *list = json_object_new_array();
    char day[TIME_TEXT];
    for (size_t i = 0; i < n; i++) {
        time_day_text(days[i], day);
        json_object_array_add(list, json_text(day));
    }
    return list;
}

static void told_add(const struct archive_told *t, struct json_object *o)
{
    const struct receipt *c = t->receipt;
    const struct cut_lost *lost = archive_source_lost(t->source);
    char container[DAYNAME], name[RECEIPT_NAME];
    autofree char *folder = told_path(t, "");
    dayname_of(t->place->format, t->place->day, container);
    receipt_name(c, ".json", name);
    json_add_text(o, "container", container);
    json_add_text(o, "folder", folder);
    json_add_text(o, "form", receipt_form_name(c->form));
    json_add_bool(o, "changed", archive_source_count(t->source));
    json_add_text(o, "store", c->store);
    json_add_text(o, "run", c->run);
    json_add_text(o, "receipt", name);
    json_add_text(o, "id", c->id);
    json_add(o, "parent", json_text_or_null(c->parent));
    json_add_number(o, "number", c->number);
    json_add(o, "databases", json_texts((const char *const *)c->databases, c->ndatabases));
    json_add(o, "lost", lost ? loss_json(lost) : NULL);
    json_add(o, "kept", told_days(t->kept->kept, t->kept->nkept));
    json_add(o, "removed", told_days(t->kept->removed, t->kept->nremoved));
    tell_capture_json(o, archive_source_capture(t->source));
}

static int told_print_json(const struct archive_told *t, struct nightjob *j, struct err *e)
{
    struct json_object *objects = json_object_new_array();
    if (!j->json)
        j->json = json_object_new_object();
    int r = j->snap.o.dry_run ? told_plan(t, objects, e) : 0;
    told_add_objects(t->receipt, objects);
    told_add(t, j->json);
    json_add(j->json, "uploaded", objects);
    json_add_count(j->json, "bytes", archive_source_bytes(t->source));
    json_add(j->json, "seconds",
             json_object_new_double((double)(time_wall_ns() - j->began_ns) / 1e9));
    return r;
}

int archive_told_print(const struct archive_told *t, struct nightjob *j, struct err *e)
{
    const size_t n = archive_source_count(t->source);
    const bool dry_run = j->snap.o.dry_run;
    struct err words = {0};
    if (j->snap.o.json)
        return told_print_json(t, j, e);
    int r = dry_run ? told_plan(t, NULL, e) : 0;
    autofree char *folder = told_path(t, "");
    told_words(t, &words);
    printf("%s: %s", folder, words.text);
    if (n)
        printf(", %zu object%s, %" PRIu64 " bytes", n, plural(n), archive_source_bytes(t->source));
    printf("%s\n", dry_run ? "; nothing was uploaded (--dry-run)" : "");
    told_print_removed(
        dry_run ? "would remove what is archived of " : "removed what was archived of ", t->kept);
    return r;
}

static void told_end_job(const struct archive_told *t, struct nightjob *j)
{
    j->end.bytes = receipt_bytes(t->receipt);
    j->end.objects = t->receipt->nobjects;
}

void archive_told_remember(const struct archive_told *t, struct nightjob *j, int64_t began_ns,
                           int code, const char *why)
{
    const struct receipt *c = t->receipt;
    struct capture *capture = t->source ? archive_source_capture(t->source) : NULL;
    struct err lacks = {0};
    char name[RECEIPT_NAME] = "";
    if (j->snap.o.dry_run)
        return;
    if (!why)
        told_end_job(t, j);
    if (*c->run)
        receipt_name(c, ".json", name);
    autofree char *what = told_path(t, c->nobjects == 1 ? c->objects[0].name : name);
    if (code == EXIT_OMISSIONS && capture)
        damage_say_lacks(capture, &lacks);
    const struct history_entry end = {
        .result = remember_result(code),
        .bytes = receipt_bytes(c),
        .what = what ? what : c->day,
        .id = c->id,
        .text = why             ? why
                : lacks.text[0] ? lacks.text
                                : NULL,
    };
    remember(&j->snap, HISTORY_BACKUP, began_ns, &end);
}
