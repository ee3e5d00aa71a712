/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_keep.h"

#include "mount-helper/nightly/archive_clean.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"

#include <errno.h>
#include <string.h>

/* What is to be known of a run; not its objects, as there are many runs. */
struct kept_run {
    int32_t day;
    char name[RECEIPT_NAME];
    char follows[RECEIPT_NAME]; /* a receipt, and its day; "": it builds on nothing */
    int32_t follows_day;
    bool good, known, keep; /* good: by itself */
    bool shrunk;
};

struct keeping {
    const struct archive_place *place;
    struct kept_run *runs; /* of the same part of the store; by day, the newest first */
    size_t n;
    int32_t latest; /* day with a run of any part */
};

void archive_kept_clear(struct archive_kept *k)
{
    free(k->kept);
    free(k->removed);
    *k = (struct archive_kept){0};
}

static int keep_note_day(int32_t **list, size_t *n, int32_t day, struct err *e)
{
    if (*n && (*list)[*n - 1] == day)
        return 0;
    if (!array_grow(list, *n))
        return err_sys(e, -ENOMEM, "a day");
    (*list)[(*n)++] = day;
    return 0;
}

/* What is there */

static void keep_note_follows(struct kept_run *run, const struct receipt_ref *follows)
{
    if (!follows->name || strlen(follows->name) >= sizeof(run->follows) ||
        !time_read_day(follows->day, &run->follows_day))
        return;
    strcpy(run->follows, follows->name);
}

/* Another store may have the same digits in its names. */
static int keep_add_runs(struct keeping *k, const struct archived_day *d, struct err *e)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct archived_run *run = &d->runs[i];
        if (run->known && strcmp(run->receipt.store, k->place->store) != 0)
            continue;
        k->latest = run->day > k->latest ? run->day : k->latest;
        if (run->known && !selection_same(run->receipt.selection, k->place->part))
            continue;
        if (!array_grow(&k->runs, k->n))
            return err_sys(e, -ENOMEM, "%s", run->name);
        struct kept_run *to = &k->runs[k->n++];
        *to = (struct kept_run){.day = run->day,
                                .good = run->code == 0,
                                .known = run->known,
                                .shrunk = run->receipt.shrunk};
        strcpy(to->name, run->name);
        if (run->known)
            keep_note_follows(to, &run->receipt.follows);
    }
    return 0;
}

static int keep_look(struct keeping *k, struct err *e)
{
    const struct archive_place *p = k->place;
    autofree int32_t *days = NULL;
    size_t n = 0;
    int r = archived_days(p->remote, p->format, &days, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct archived_day d;
        r = archive_clean_look(p, days[i], false, &d, e);
        if (r == 0) {
            r = keep_add_runs(k, &d, e);
            archived_day_clear(&d);
        } else if (r == -ENOENT) {
            r = 0;
        }
    }
    return r;
}

static struct kept_run *keep_find(const struct keeping *k, int32_t day, const char *name)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->runs[i].day == day && strcmp(k->runs[i].name, name) == 0)
            return &k->runs[i];
    return NULL;
}

/* Each step goes to an earlier RUN, as receipt_read demands. */
static bool keep_can_be_restored(const struct keeping *k, const struct kept_run *run)
{
    while (run && run->good && *run->follows)
        run = keep_find(k, run->follows_day, run->follows);
    return run && run->good;
}

/* What stays */

static int keep_check(const struct keeping *k, const struct receipt *made, struct err *e)
{
    const int32_t today = time_today(), own = k->place->day;
    char day[TIME_TEXT], name[RECEIPT_NAME];
    receipt_name(made, ".json", name);
    const struct kept_run *run = keep_find(k, own, name);
    if (k->place->unlocked && !k->place->dry_run)
        return err_set(e, -ECANCELED, "without the store's lock another job may build on it");
    if (!k->place->dry_run && (!run || !run->good))
        return err_set(e, -ECANCELED,
                       "what was just archived is not in the listing of %s, or not "
                       "whole",
                       remote_name(k->place->remote));
    if (k->latest <= (own > today ? own : today))
        return 0;
    time_day_text(k->latest, day);
    return err_set(e, -ECANCELED, "%s holds %s, which is later than today: is the clock right?",
                   remote_name(k->place->remote), day);
}

/* The oldest of the newest `keep` days that can be restored: the day at hand can, or could. INT32_MIN:
 * there are not so many. */
static int keep_first_day(const struct keeping *k, uint64_t keep, int32_t *out, struct err *e)
{
    autofree int32_t *days = calloc(k->n + 1, sizeof(*days));
    size_t n = 1;
    if (!days)
        return err_sys(e, -ENOMEM, "a day");
    days[0] = k->place->day;
    for (size_t i = 0; i < k->n; i++)
        if (!k->runs[i].shrunk && keep_can_be_restored(k, &k->runs[i]))
            days[n++] = k->runs[i].day;
    qsort(days, n, sizeof(*days), dayname_newest_first);
    *out = days[0];
    for (size_t i = 1; i < n && keep > 1; i++)
        if (days[i] != *out) {
            *out = days[i];
            keep--;
        }
    if (keep > 1)
        *out = INT32_MIN;
    return 0;
}

static int keep_base(struct keeping *k, const struct kept_run *run, bool *added, struct err *e)
{
    struct kept_run *before = *run->follows ? keep_find(k, run->follows_day, run->follows) : NULL;
    if (*run->follows && !before)
        return err_set(e, -ECANCELED, "%s builds on %s, which is not in the listing of %s",
                       run->name, run->follows, remote_name(k->place->remote));
    if (before && !before->keep)
        *added = before->keep = true;
    return 0;
}

/* Keeps what runs that are kept build on, good or not, and that again: until nothing is added. */
static int keep_close(struct keeping *k, struct err *e)
{
    int r = 0;
    for (bool added = true; r == 0 && added;) {
        added = false;
        for (size_t i = 0; r == 0 && i < k->n; i++)
            if (k->runs[i].keep)
                r = keep_base(k, &k->runs[i], &added, e);
    }
    return r;
}

/* In a dry run, made is not there. */
static int keep_plan(struct keeping *k, const struct receipt *made, uint64_t keep, struct err *e)
{
    struct kept_run own = {.day = k->place->day};
    int32_t first = 0;
    bool added = false;
    int r = keep_first_day(k, keep, &first, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < k->n; i++)
        k->runs[i].keep =
            k->runs[i].day >= first || k->runs[i].day == k->place->day || !k->runs[i].known;
    receipt_name(made, ".json", own.name);
    keep_note_follows(&own, &made->follows);
    r = keep_base(k, &own, &added, e);
    return r < 0 ? r : keep_close(k, e);
}

/* What goes: later runs before those that they build on. */

static int keep_remove(const struct keeping *k, const struct kept_run *run, struct err *e)
{
    struct archived_day d;
    int r = k->place->dry_run ? 1 : archive_clean_look(k->place, run->day, false, &d, e);
    if (r != 0)
        return r == 1 || r == -ENOENT ? 0 : r;
    for (size_t i = 0; r == 0 && i < d.n; i++)
        if (strcmp(d.runs[i].name, run->name) == 0 && d.runs[i].known)
            r = archive_clean_take_back(k->place, &d, &d.runs[i], e);
    archived_day_clear(&d);
    return r;
}

static int keep_do(const struct keeping *k, struct archive_kept *out, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < k->n; i++)
        if (k->runs[i].keep)
            r = keep_note_day(&out->kept, &out->nkept, k->runs[i].day, e);
    for (size_t i = 0; r == 0 && i < k->n; i++)
        if (!k->runs[i].keep && (r = keep_remove(k, &k->runs[i], e)) == 0)
            r = keep_note_day(&out->removed, &out->nremoved, k->runs[i].day, e);
    return r;
}

int archive_keep(const struct archive_place *place, const struct receipt *made, uint64_t keep,
                 struct archive_kept *out, struct err *e)
{
    struct keeping k = {.place = place, .latest = INT32_MIN};
    *out = (struct archive_kept){0};
    int r = keep_look(&k, e);
    if (r == 0)
        r = keep_check(&k, made, e);
    if (r == 0)
        r = keep_plan(&k, made, keep, e);
    if (r == 0)
        r = keep_do(&k, out, e);
    free(k.runs);
    return r;
}
