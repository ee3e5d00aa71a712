/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_days.h"

#include "mount-helper/nightly/fetch_last.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influx/store_id.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Days at or before the wanted one, the newest first. */
struct wanted_days {
    struct nightjob *job;
    int32_t *all;
    size_t n;
    size_t first; /* the first that counts */
};

static void wanted_days_clear(struct wanted_days *w)
{
    free(w->all);
}

static int fetch_days_list(struct nightjob *j, struct wanted_days *w, struct err *e)
{
    char newest[TIME_TEXT], today[TIME_TEXT];
    *w = (struct wanted_days){.job = j};
    int r = archived_days(j->remote, j->snap.o.container_format, &w->all, &w->n, e);
    if (r < 0)
        return r;
    while (w->first < w->n && w->all[w->first] > j->day)
        w->first++;
    if (w->n && w->all[0] > time_today()) {
        time_day_text(w->all[0], newest);
        time_day_text(time_today(), today);
        snap_warn("%s holds a day %s, but today is %s: is the clock right?", remote_name(j->remote),
                  newest, today);
    }
    return 0;
}

/* The first day from *at on that has a run of the store ("": any). -ENOENT. */
static int fetch_days_next(const struct wanted_days *w, const char *store, size_t *at,
                           struct archived_day *out, struct err *e)
{
    struct err why = {0};
    for (; *at < w->n; ++*at) {
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted");
        int r = archived_look(w->job->remote, w->job->snap.o.container_format, w->all[*at],
                              DAYNAME_SHARDS, store, out, &why);
        if (r < 0 && r != -ENOENT)
            return err_set(e, r, "%s", why.text);
        if (r == 0 && out->n)
            return 0;
        if (r == 0)
            archived_day_clear(out);
    }
    return -ENOENT;
}

/* "1a2b3c4d (db1: sensu_db, other)" */
static void fetch_days_name_store(const struct archived_run *run, struct err *words)
{
    const struct receipt *c = &run->receipt;
    char text[sizeof(words->text)];
    int n = snprintf(text, sizeof(text), "%s%s%.*s", words->text, *words->text ? ", " : "",
                     RECEIPT_STORE, run->name);
    if (run->known)
        n += snprintf(text + n, sizeof(text) - (size_t)n, " (%s", c->host ? c->host : "?");
    for (size_t i = 0; run->known && i < c->ndatabases && n < 400; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s", i ? ", " : ": ", c->databases[i]);
    err_set(words, 0, "%s%s", text, run->known ? ")" : "");
}

/* Whether all runs are of one store. */
static int fetch_days_check_single(const struct archived_day *d, struct err *e)
{
    struct err words = {0};
    char day[TIME_TEXT];
    size_t stores = 0;
    for (size_t i = 0; i < d->n; i++) {
        bool first = true;
        for (size_t k = 0; k < i && first; k++)
            first = strncmp(d->runs[k].name, d->runs[i].name, RECEIPT_STORE) != 0;
        if (first && strlen(words.text) < 500)
            fetch_days_name_store(&d->runs[i], &words);
        stores += first;
    }
    time_day_text(d->day, day);
    return stores == 1 ? 0
                       : err_set(e, -EINVAL,
                                 "%s holds archives of %zu stores: %s; say which one by "
                                 "--store=%.*s or the like",
                                 day, stores, words.text, RECEIPT_STORE, d->runs[0].name);
}

/* Stores, by the digits in names of objects, with an archive of each in words. */
struct whose {
    char (*at)[RECEIPT_STORE + 1];
    size_t n;
    struct err words;
};

static void whose_clear(struct whose *s)
{
    free(s->at);
}

static bool whose_has(const struct whose *s, const char *store)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->at[i], store) == 0)
            return true;
    return false;
}

static int whose_add(struct whose *s, const char *store, const struct archived_run *run,
                     struct err *e)
{
    if (!array_grow(&s->at, s->n))
        return err_sys(e, -ENOMEM, "%s", run->name);
    memcpy(s->at[s->n++], store, RECEIPT_STORE + 1);
    if (strlen(s->words.text) < 500)
        fetch_days_name_store(run, &s->words);
    return 0;
}

/* Adds the stores of a day that are not known yet. A listing shows them; only of those that are new is
 * more read. */
static int fetch_days_add_stores(const struct nightjob *j, int32_t day, struct whose *s,
                                 struct err *e)
{
    const char *format = j->snap.o.container_format;
    cleanup(remote_list_clear) struct remote_list list = {0};
    struct err why = {0};
    char store[RECEIPT_STORE + 1];
    autofree char *folder = dayname_folder(format, day, DAYNAME_SHARDS);
    int r = folder ? remote_list(j->remote, folder, &list, &why) : -ENOMEM;
    if (r == -ENOENT)
        return 0;
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        cleanup(archived_day_clear) struct archived_day d = {0};
        if (list.at[i].folder || !receipt_is_name(list.at[i].name, store, NULL) ||
            whose_has(s, store))
            continue;
        r = archived_look(j->remote, format, day, DAYNAME_SHARDS, store, &d, &why);
        if (r == 0 && d.n)
            r = whose_add(s, store, &d.runs[0], &why);
    }
    return r < 0 ? err_set(e, r, "%s", r == -ENOMEM ? strerror(ENOMEM) : why.text) : 0;
}

/* Whether no day before has an archive of another store: else which one is taken would depend on which
 * has failed last. */
static int fetch_days_check_alone(const struct wanted_days *w, size_t at,
                                  const struct archived_day *d, struct err *e)
{
    cleanup(whose_clear) struct whose s = {0};
    char store[RECEIPT_STORE + 1], day[TIME_TEXT];
    receipt_is_name(d->runs[0].name, store, NULL);
    int r = whose_add(&s, store, &d->runs[0], e);
    for (size_t i = at + 1; r == 0 && i < w->n; i++)
        r = snap_stopped(NULL) ? err_set(e, -EINTR, "interrupted")
                               : fetch_days_add_stores(w->job, w->all[i], &s, e);
    if (r < 0 || s.n == 1)
        return r;
    time_day_text(d->day, day);
    return err_set(e, -EINVAL,
                   "%s and the days before it hold archives of %zu stores: %s; say which one by "
                   "--store=%s or the like",
                   day, s.n, s.words.text, store);
}

/* last: it is the store whose archive was fetched last. */
static int fetch_days_none(const struct nightjob *j, const char *of, bool last, struct err *e)
{
    char day[TIME_TEXT];
    time_day_text(j->day, day);
    return err_set(
        e, -ENOENT,
        "%s holds no archive%s%s%s of %s or of a day before it: has influxfs-archive run, "
        "with this remote and this --container-format?%s",
        remote_name(j->remote), *of ? " of the store " : "", of,
        last ? ", which was fetched last," : "", day,
        last ? " That of another store is taken by --store" : "");
}

/* The store whose archive was fetched last; "": none is known. */
static int fetch_days_last(const struct snap *s, char last[STORE_ID + 1], struct err *e)
{
    *last = '\0';
    int r = s->state ? fetch_last_look(s->state, last, e) : -ENOENT;
    return r == -ENOENT ? 0 : r;
}

/* Nobody has said whose: it is this store's own, or that of the only store. */
static int fetch_days_pick_unnamed(const struct wanted_days *w, struct archived_day *out,
                                   struct err *e)
{
    const char *state = w->job->snap.state;
    struct store_id own;
    size_t at = w->first;
    int r = -ENOENT;
    if (state && store_id_look(state, &own, NULL) == 0)
        r = fetch_days_next(w, own.text, &at, out, e);
    if (r != -ENOENT)
        return r;
    at = w->first;
    r = fetch_days_next(w, "", &at, out, e);
    if (r == -ENOENT)
        return fetch_days_none(w->job, "", false, e);
    if (r == 0)
        r = fetch_days_check_single(out, e);
    return r == 0 ? fetch_days_check_alone(w, at, out, e) : r;
}

/* The day that is taken, with runs of one store. */
static int fetch_days_pick(const struct wanted_days *w, struct archived_day *out, struct err *e)
{
    const struct snap *s = &w->job->snap;
    char last[STORE_ID + 1] = "";
    size_t at = w->first;
    int r = s->o.of_store ? 0 : fetch_days_last(s, last, e);
    const char *store = s->o.of_store ? s->o.of_store : last;
    if (r < 0)
        return r;
    if (!*store)
        return fetch_days_pick_unnamed(w, out, e);
    r = fetch_days_next(w, store, &at, out, e);
    return r == -ENOENT ? fetch_days_none(w->job, store, *last, e) : r;
}

static void fetch_days_tell_older(struct nightjob *j, int32_t day)
{
    char wanted[TIME_TEXT], found[TIME_TEXT];
    const int32_t days = j->day - day;
    time_day_text(j->day, wanted);
    time_day_text(day, found);
    if (days == 1)
        snap_warn("%s is not archived: taking the day before, %s", wanted, found);
    else
        snap_warn("%s and the %d day%s before it are not archived: taking %s", wanted, days - 1,
                  plural((unsigned)days - 1), found);
}

/* Judges the run, and what it builds on. */
static int fetch_days_judge(struct nightjob *j, const struct archived_run *run,
                            struct archived_chain *chain, struct err *e)
{
    char day[TIME_TEXT];
    struct err why = {0};
    time_day_text(run->day, day);
    if (run->code < 0)
        return err_set(e, run->code, "the archive of %s is not good: %s", day, run->why.text);
    int r = archived_chain(j->remote, j->snap.o.container_format, run, chain, &why);
    return r == -ESTALE ? err_set(e, r, "the archive of %s is incomplete: %s", day, why.text)
           : r < 0      ? err_set(e, r, "%s", why.text)
                        : 0;
}

int fetch_days_find(struct nightjob *j, struct fetch_found *out, struct err *e)
{
    cleanup(wanted_days_clear) struct wanted_days w;
    cleanup(archived_day_clear) struct archived_day d = {0};
    *out = (struct fetch_found){0};
    int r = fetch_days_list(j, &w, e);
    if (r == 0)
        r = fetch_days_pick(&w, &d, e);
    if (r < 0)
        return r;
    out->day = d.day;
    out->older = d.day < j->day;
    receipt_is_name(d.runs[0].name, out->store, NULL);
    if (out->older)
        fetch_days_tell_older(j, d.day);
    return fetch_days_judge(j, &d.runs[0], &out->chain, e);
}

void fetch_found_clear(struct fetch_found *f)
{
    archived_chain_clear(&f->chain);
    *f = (struct fetch_found){0};
}

/* Whether the archive is good, as far as can be told without reading it. */
static bool fetch_days_is_good(struct nightjob *j, const struct archived_run *run,
                               const struct archived_run *spoilt)
{
    cleanup(archived_chain_clear) struct archived_chain chain = {0};
    if (fetch_days_judge(j, run, &chain, NULL) < 0)
        return false;
    for (size_t i = 0; spoilt && i < chain.n; i++)
        if (chain.at[i].day == spoilt->day && strcmp(chain.at[i].name, spoilt->name) == 0)
            return false;
    return true;
}

/* The receipt goes first when a day is removed. */
static int fetch_days_is_gone(struct nightjob *j, const struct fetch_found *f, struct err *e)
{
    cleanup(archived_day_clear) struct archived_day d = {0};
    const struct archived_run *run = &f->chain.at[f->chain.n - 1];
    int r = archived_look(j->remote, j->snap.o.container_format, run->day, DAYNAME_SHARDS, f->store,
                          &d, e);
    for (size_t i = 0; r == 0 && i < d.n; i++)
        if (strcmp(d.runs[i].name, run->name) == 0)
            return 0;
    return r == 0 || r == -ENOENT ? 1 : r;
}

int fetch_days_gone(struct nightjob *j, const struct fetch_found *f, struct err *e)
{
    cleanup(wanted_days_clear) struct wanted_days w = {.job = j};
    cleanup(archived_day_clear) struct archived_day d = {0};
    char gone[TIME_TEXT], day[TIME_TEXT];
    size_t at = 0;
    int r = f->chain.n ? fetch_days_is_gone(j, f, e) : 0;
    if (r <= 0)
        return r;
    time_day_text(f->day, gone);
    r = archived_days(j->remote, j->snap.o.container_format, &w.all, &w.n, e);
    if (r == 0)
        r = fetch_days_next(&w, f->store, &at, &d, e);
    if (r < 0 && r != -ENOENT)
        return r;
    time_day_text(d.day, day);
    err_set(
        e, -ENOENT,
        "the archive of %s was removed while it was fetched, as influxfs-archive --keep does; the "
        "store is as it was; %s%s%s",
        gone, d.n ? "the newest archive is that of " : "there is no other", d.n ? day : "",
        d.n ? ": take it by --day" : "");
    return 1;
}

void fetch_days_offer(struct nightjob *j, const struct fetch_found *bad,
                      const struct archived_run *spoilt)
{
    cleanup(wanted_days_clear) struct wanted_days w = {.job = j};
    struct err why = {0};
    char day[TIME_TEXT];
    int r = archived_days(j->remote, j->snap.o.container_format, &w.all, &w.n, &why);
    for (size_t at = 0; r == 0; at++) {
        cleanup(archived_day_clear) struct archived_day d = {0};
        while (at < w.n && w.all[at] >= bad->day)
            at++;
        r = fetch_days_next(&w, bad->store, &at, &d, &why);
        if (r < 0 || !fetch_days_is_good(j, &d.runs[0], spoilt))
            continue;
        time_day_text(d.day, day);
        snap_say("the newest good archive before it is that of %s: take it by --day=%s", day, day);
        return;
    }
    if (r == -ENOENT)
        snap_say("no archive of an earlier day is good");
    else
        snap_say("which day before it is good cannot be said: %s", why.text);
}
