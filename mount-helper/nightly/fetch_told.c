/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_told.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct receipt *newest(const struct fetch_found *f)
{
    return &f->chain.at[f->chain.n - 1].receipt;
}

/* Whether a database of the archive comes by its own name, with what was asked for. Shards and
 * policies are not in all. */
static bool told_comes(const struct restore_request *q, const char *db)
{
    if (!restore_request_composes(q))
        return true;
    return !q->as && selection_of_databases(&q->part) && selection_has_database(&q->part, db);
}

bool fetch_told_holds(const struct receipt *c, const char *db)
{
    for (const char *p = db; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            return true;
    for (size_t i = 0; i < c->ndatabases; i++)
        if (strcmp(c->databases[i], db) == 0)
            return true;
    return false;
}

static void told_miss(const struct meta *m, const char *db, struct err *missing)
{
    const struct err before = *missing;
    if (!meta_has_database(m, db))
        err_set(missing, 0, "%s%s%s", before.text, *before.text ? ", " : "", db);
}

int fetch_told_check(const struct fetch_found *f, const struct restore_request *asked,
                     const void *meta, size_t n, struct err *e)
{
    const struct receipt *c = newest(f);
    cleanup(meta_freep) struct meta *m = NULL;
    struct err missing = {0};
    int r = meta_parse(meta, n, &m, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < c->ndatabases; i++)
        if (told_comes(asked, c->databases[i]))
            told_miss(m, c->databases[i], &missing);
    if (asked && asked->as)
        told_miss(m, asked->as, &missing);
    return *missing.text
               ? err_set(e, -ENOENT,
                         "the store was restored, but what the archive of %s holds is not "
                         "in it: %s",
                         c->day, missing.text)
               : 0;
}

static size_t told_numbers(const struct fetch_found *f)
{
    size_t n = 0;
    for (size_t i = 1; i < f->chain.n; i++)
        n += f->chain.at[i].receipt.nobjects > 0;
    return n;
}

/* The databases that came, under the names that they have now; NULL: a part of some came. */
static struct json_object *told_came(const struct fetch_found *f, const struct restore_request *q)
{
    const struct receipt *c = newest(f);
    struct json_object *came = json_object_new_array();
    if (restore_request_composes(q) && q->as)
        json_object_array_add(came, json_text_or_null(q->as));
    for (size_t i = 0; i < c->ndatabases; i++)
        if (told_comes(q, c->databases[i]))
            json_object_array_add(came, json_text_or_null(c->databases[i]));
    if (json_object_array_length(came) || !restore_request_composes(q))
        return came;
    json_object_put(came);
    return NULL;
}

static void told_json(struct nightjob *j, const struct fetch_found *f,
                      const struct restore_request *q)
{
    const struct receipt *c = newest(f);
    char wanted[TIME_TEXT];
    time_day_text(j->day, wanted);
    json_add_text(j->json, "wanted", wanted);
    json_add_text(j->json, "store", c->store);
    json_add(j->json, "host", json_text_or_null(c->host));
    json_add_text(j->json, "form", receipt_form_name(f->chain.at[0].receipt.form));
    json_add_count(j->json, "numbers", told_numbers(f));
    json_add(j->json, "id", json_text_or_null(c->id));
    json_add(j->json, "created", json_text_or_null(c->created));
    json_add(j->json, "archived_databases",
             json_texts((const char *const *)c->databases, c->ndatabases));
    json_add(j->json, "databases", told_came(f, q));
    json_add(j->json, "archived_left_out",
             json_texts((const char *const *)c->left_out, c->nleft_out));
}

/* Of an archive of which not all came. */
static void told_part(const struct nightjob *j, const struct fetch_found *f,
                      const struct restore_request *q)
{
    const bool dry_run = j->snap.o.dry_run;
    struct json_object *came = told_came(f, q);
    printf(dry_run ? "; of these would come" : "; of these came");
    for (size_t i = 0; came && i < json_object_array_length(came); i++)
        printf("%s%s", i ? ", " : " ", json_object_get_string(json_object_array_get_idx(came, i)));
    const bool whole = selection_of_databases(&q->part);
    printf("%s", !came    ? " a part"
                 : !q->as ? ""
                 : whole  ? " (as it is named here)"
                          : " (a part, as it is named here)");
    json_object_put(came);
}

static void told_line(const struct nightjob *j, const struct fetch_found *f,
                      const struct restore_request *q)
{
    const struct receipt *c = newest(f);
    const size_t numbers = told_numbers(f);
    printf("%s: the %s archive of %s", c->day, receipt_form_name(f->chain.at[0].receipt.form),
           c->host ? c->host : c->store);
    if (numbers)
        printf(" with %zu number%s", numbers, plural(numbers));
    if (c->created)
        printf(", as of %s", c->created);
    printf(", %zu database%s", c->ndatabases, plural(c->ndatabases));
    for (size_t i = 0; i < c->ndatabases; i++)
        printf("%s%s", i ? ", " : ": ", c->databases[i]);
    if (restore_request_composes(q))
        told_part(j, f, q);
    printf("; %" PRIu64 " bytes in %" PRIu64 " object%s%s\n", j->end.bytes, j->end.objects,
           plural(j->end.objects), j->snap.o.dry_run ? ", found good; nothing was changed" : "");
}

void fetch_told_result(struct nightjob *j, const struct fetch_found *f,
                       const struct restore_request *asked)
{
    if (j->snap.o.json)
        told_json(j, f, asked);
    else
        told_line(j, f, asked);
}
