/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_past.h"

#include "mount-helper/nightly/archive_clean.h"
#include "mount-helper/nightly/archive_mark.h"
#include "mount-helper/nightly/archive_tar.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influxsnap/say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The manifests of a chain */

static bool is_damage(int r)
{
    return r == -EBADMSG || r == -EINVAL || r == -ESTALE || r == -ENOENT || r == -EFBIG;
}

/* A run without objects found nothing changed, and has no manifest. */
static int past_read_manifest(const struct archive_place *p, const struct archived_run *run,
                              struct tarset_given *given, size_t *n, struct err *e)
{
    cleanup(manifest_freep) struct manifest *m = NULL;
    if (run->receipt.nobjects == 0)
        return 0;
    int r = archive_tar_manifest(p->remote, p->format, run, &m, e);
    if (r < 0)
        return r;
    if (!run->receipt.id || strcmp(run->receipt.id, m->id) != 0 || !m->lists_folders)
        return err_set(e, -EBADMSG, "%s: its tar is not the one that the receipt tells of",
                       run->name);
    given[(*n)++] = (struct tarset_given){.name = run->name, .m = steal_ptr(&m)};
    return 0;
}

static int past_read_chain(const struct archive_place *p, const struct archived_chain *chain,
                           struct tarset *out, struct err *e)
{
    autofree struct tarset_given *given = calloc(chain->n + 1, sizeof(*given));
    size_t n = 0;
    int r = given ? 0 : err_sys(e, -ENOMEM, "a chain");
    for (size_t i = 0; r == 0 && i < chain->n; i++)
        r = past_read_manifest(p, &chain->at[i], given, &n, e);
    if (r < 0) {
        for (size_t i = 0; i < n; i++)
            manifest_free(given[i].m);
        return r;
    }
    if ((r = tarset_of(given, n, out, e)) == 0 && (r = tarset_one_chain(out, e)) < 0)
        tarset_clear(out);
    return r;
}

static int past_refer(const struct archived_run *run, struct receipt_ref *out, struct err *e)
{
    strcpy(out->day, run->receipt.day);
    out->name = strdup(run->name);
    return out->name ? 0 : err_sys(e, -ENOMEM, "%s", run->name);
}

/* What comes next builds on the last run that has a tar. */
static int past_lead_on(const struct archived_chain *chain, struct archive_past *out, struct err *e)
{
    size_t last = chain->n - 1;
    while (last > 0 && chain->at[last].receipt.nobjects == 0)
        last--;
    out->numbers = (int64_t)out->chain.n - 1;
    int r = past_refer(&chain->at[last], &out->follows, e);
    return r < 0 ? r : past_refer(&chain->at[0], &out->base, e);
}

/* The first one is gone on with. If its run had shrunk, that of the next one that had not is compared with:
 * a loss does not become what is usual. */
static int past_take_chain(const struct archive_place *p, const struct archived_run *run,
                           struct archive_past *out, struct err *e)
{
    cleanup(archived_chain_clear) struct archived_chain chain = {0};
    const bool first = out->chain.n == 0, shrunk = run->receipt.shrunk;
    if (!first && shrunk)
        return 0;
    int r = archived_chain(p->remote, p->format, run, &chain, e);
    if (r == 0)
        r = past_read_chain(p, &chain, first ? &out->chain : &out->before, e);
    if (r == 0 && !shrunk)
        strcpy(out->compared_day, run->receipt.day);
    if (r < 0 || !first)
        return r;
    out->shrunk = shrunk;
    return past_lead_on(&chain, out, e);
}

/* Days and their runs */

static bool is_of_chain(const struct archived_run *run)
{
    return run->receipt.form == RECEIPT_FULL || run->receipt.form == RECEIPT_INCREMENTAL;
}

static void past_say_bad(const struct archived_run *run, const char *why, struct archive_past *out)
{
    char day[TIME_TEXT];
    time_day_text(run->day, day);
    snap_warn("the archive %s of %s is not good: %s", run->name, day, why);
    out->bad++;
}

/* Takes what is known of the newest good one. */
static void past_take(const struct archived_run *run, struct receipt *c, struct archive_past *out)
{
    out->any = true;
    out->form = c->form;
    out->day = run->day;
    out->databases = steal_ptr(&c->databases);
    out->ndatabases = c->ndatabases;
    c->ndatabases = 0;
}

/* Also of runs that are under way elsewhere: no name is used twice. */
static void past_note_runs(const struct archive_place *p, const struct remote_list *list,
                           struct archive_past *out)
{
    char of[RECEIPT_RUN + 1];
    for (size_t i = 0; i < list->n; i++)
        if (mark_owner(list->at[i].name, p->store, of) && strcmp(of, out->run) > 0)
            strcpy(out->run, of);
}

static bool past_is_enough(const struct archive_past *past, enum archive_past_want want)
{
    return past->any && (want != PAST_CHAIN || past->chain.n) && (!past->shrunk || past->before.n);
}

/* 1: no more is wanted. */
static int past_see(const struct archive_place *p, struct archived_run *run,
                    enum archive_past_want want, struct archive_past *out, struct err *e)
{
    struct err why = {0};
    int r = 0;
    if (run->known && strcmp(run->receipt.store, p->store) != 0)
        return 0; /* it only has the same digits in its name */
    if (run->known && !selection_same(run->receipt.selection, p->part)) {
        out->others = true;
        return 0;
    }
    if (run->code < 0) {
        past_say_bad(run, run->why.text, out);
        return 0;
    }
    if (want != PAST_NEWEST && is_of_chain(run) && (r = past_take_chain(p, run, out, &why)) < 0) {
        if (!is_damage(r))
            return err_set(e, r, "%s", why.text);
        past_say_bad(run, why.text, out);
        return 0;
    }
    if (!out->any && !run->receipt.shrunk)
        past_take(run, &run->receipt, out);
    return past_is_enough(out, want);
}

static int past_look_day(const struct archive_place *p, int32_t day, enum archive_past_want want,
                         struct archive_past *out, struct err *e)
{
    struct archived_day seen;
    int r = archive_clean_look(p, day, false, &seen, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    past_note_runs(p, &seen.list, out);
    for (size_t i = 0; r == 0 && i < seen.n; i++)
        r = past_see(p, &seen.runs[i], want, out, e);
    archived_day_clear(&seen);
    return r;
}

/* A day that has not come yet may be another store's, elsewhere. */
static int past_look_ahead(const struct archive_place *p, int32_t day, struct archive_past *out,
                           struct err *e)
{
    struct archived_day seen;
    int r = archived_look(p->remote, p->format, day, DAYNAME_SHARDS, p->store, &seen, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (seen.n && !out->ahead) {
        out->ahead = true;
        out->ahead_day = day;
    }
    past_note_runs(p, &seen.list, out);
    archived_day_clear(&seen);
    return 0;
}

int archive_past_look(const struct archive_place *place, enum archive_past_want want,
                      struct archive_past *out, struct err *e)
{
    autofree int32_t *days = NULL;
    const int32_t today = time_today();
    size_t n = 0;
    *out = (struct archive_past){0};
    int r = archived_days(place->remote, place->format, &days, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (days[i] <= place->day)
            r = past_look_day(place, days[i], want, out, e);
        else if (days[i] > today)
            r = past_look_ahead(place, days[i], out, e);
    return r < 0 ? r : 0;
}

void archive_past_clear(struct archive_past *p)
{
    for (size_t i = 0; i < p->ndatabases; i++)
        free(p->databases[i]);
    free(p->databases);
    tarset_clear(&p->chain);
    tarset_clear(&p->before);
    free(p->follows.name);
    free(p->base.name);
    *p = (struct archive_past){0};
}
