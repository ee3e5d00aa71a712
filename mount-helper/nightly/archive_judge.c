/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_judge.h"

#include "store/base/array.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/influxsnap/telling.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct lacking {
    struct receipt *receipt;
    int r;
};

/* Without control bytes, which names may contain. */
static void judge_note(struct lacking *l, const char *words)
{
    struct receipt *c = l->receipt;
    struct err line;
    err_set(&line, 0, "%s", words);
    if (l->r < 0)
        return;
    if (array_grow(&c->left_out, c->nleft_out) &&
        (c->left_out[c->nleft_out] = strdup(line.text)) != NULL)
        c->nleft_out++;
    else
        l->r = -ENOMEM;
}

static void judge_note_damaged(void *arg, const char *words, bool whole)
{
    (void)whole;
    judge_note(arg, words);
}

static void judge_note_omissions(struct lacking *l, const struct omissions *o)
{
    struct err line;
    for (size_t i = 0; i < o->n; i++) {
        const struct omission *at = &o->at[i];
        if (at->why == OMITTED_FOREIGN)
            continue;
        err_set(&line, 0, "%.500s: %" PRIu64 " file%s, %" PRIu64 " bytes (%s)", at->name, at->files,
                plural(at->files), at->bytes, omission_why_name(at->why));
        judge_note(l, line.text);
    }
}

int archive_judge_lacks(struct archive_source *source, struct receipt *receipt, bool *omits,
                        struct err *e)
{
    struct capture *c = archive_source_capture(source);
    struct lacking l = {.receipt = receipt};
    *omits = tell_capture(c) != EXIT_DONE;
    judge_note_omissions(&l, capture_left_out(c));
    damage_tell(c, judge_note_damaged, &l, NULL); /* what fails has been said by tell_capture */
    for (size_t i = 0; i < archive_source_lacks(source); i++) {
        bool counts;
        const char *words = archive_source_lack(source, i, &counts);
        snap_line(counts ? SNAP_WARN : SNAP_NOTE, "not in the set: %s", words);
        *omits |= counts;
        if (counts)
            judge_note(&l, words);
    }
    return l.r < 0 ? err_sys(e, l.r, "the receipt") : 0;
}

/* What has gone */

static bool judge_has(const struct receipt *c, const char *db)
{
    for (size_t i = 0; i < c->ndatabases; i++)
        if (strcmp(c->databases[i], db) == 0)
            return true;
    return false;
}

/* Of what is archived now: another selection is no loss. */
static bool judge_databases(const struct archive_past *past, const struct receipt *receipt,
                            const struct options *o)
{
    const struct selection part = options_selection(o);
    char day[TIME_TEXT];
    bool gone = false;
    time_day_text(past->day, day);
    for (size_t i = 0; i < past->ndatabases; i++) {
        const char *db = past->databases[i];
        if (strcmp(db, NAME_INTERNAL) == 0 || !selection_has_database(&part, db) ||
            judge_has(receipt, db))
            continue;
        snap_warn("database %s of the archive of %s is gone", db, day);
        gone = true;
    }
    return gone;
}

bool archive_judge_shrunk(const struct archive_past *past, const struct archive_source *source,
                          const struct receipt *receipt, const struct options *o)
{
    const struct cut_lost *lost = archive_source_lost(source);
    char words[LOSS_WORDS];
    bool shrunk = false;
    if (!o->rules.guard || !past->any)
        return false;
    if (lost && loss_exceeds(lost, o->rules.guard_part)) {
        snap_warn("since the archive of %s %s", past->compared_day, loss_words(lost, words));
        shrunk = true;
    }
    return judge_databases(past, receipt, o) || shrunk;
}
