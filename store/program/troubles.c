/* SPDX-License-Identifier: MIT */
#include "store/program/troubles.h"

#include "store/base/array.h"
#include "store/base/size.h"
#include "store/base/time.h"
#include "store/chain/cut_loss.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one kind, so many are told one by one. */
#define TOLD_MOST 5

#define VERIFY_NS (9 * DAY_NS)     /* a weekly verification, and two days of grace */
#define RESTORE_NS (7 * DAY_NS)    /* a failed restore is told as a trouble so long */
#define WAIT_NS (3600 * SECOND_NS) /* and numbers may wait so long for the one before */

struct finder {
    const struct report *r;
    struct troubles *out;
    int rc;
};

/* Adds one after those that are as bad. why and todo may be NULL. */
static void trouble(struct finder *f, enum trouble_level level, const char *why, const char *todo,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void trouble(struct finder *f, enum trouble_level level, const char *why, const char *todo,
                    const char *fmt, ...)
{
    struct troubles *t = f->out;
    size_t at = 0;
    if (!array_grow(&t->at, t->n)) {
        f->rc = -ENOMEM;
        return;
    }
    for (int worse = TROUBLE_LEVELS - 1; worse >= (int)level; worse--)
        at += t->count[worse];
    struct trouble *new = &t->at[at];
    memmove(new + 1, new, (t->n - at) * sizeof(*new));
    *new = (struct trouble){.level = level};
    va_list ap;
    va_start(ap, fmt);
    err_format(&new->what, fmt, ap);
    va_end(ap);
    err_set(&new->why, 0, "%s", why ? why : "");
    err_set(&new->todo, 0, "%s", todo ? todo : "");
    t->count[level]++;
    t->n++;
}

/* A snapshot holds each file open: that it cannot is to be known before the night. */
static void trouble_files(struct finder *f)
{
    const uint64_t files = contents_files(&f->r->contents), limit = f->r->files_limit;
    if (limit && files > limit / 5 * 4)
        trouble(f, files > limit ? TROUBLE_BAD : TROUBLE_WARN, NULL,
                "Raise the limit on open files (LimitNOFILE= of a unit, ulimit -n), or let influxd "
                "compact.",
                "The store has %" PRIu64 " files, and a snapshot can hold %s%" PRIu64 " open",
                files, files > limit ? "only " : "", limit);
}

static void troubles_of_store(struct finder *f)
{
    const struct report *r = f->r;
    if (r->cut_off_unknown)
        trouble(f, TROUBLE_UNKNOWN, r->cut_off.text, NULL,
                "Whether a restore was cut off is unknown");
    else if (r->restoring)
        trouble(f, TROUBLE_NOTE, NULL, NULL, "A restore is under way");
    else if (r->cut_off.text[0])
        trouble(f, TROUBLE_BAD, r->cut_off.text, "influxd does not start before that.",
                "A restore was cut off");
    if (!r->contents.known && r->contents.unknown.text[0])
        trouble(f, TROUBLE_UNKNOWN, r->contents.unknown.text, NULL,
                "What the store holds is unknown");
    else if (r->contents.absent)
        trouble(f, TROUBLE_UNKNOWN, NULL,
                "Mount the disk that it is on, or restore a snapshot into it.",
                "There is no store: %.300s: No such file or directory", r->paths->data);
    trouble_files(f);
}

/* A folder that is only to be made by the first cut is told where there is something to be cut. */
static void troubles_of_state(struct finder *f)
{
    const struct report *r = f->r;
    if (r->known == REPORT_UNKNOWN_CUTS)
        trouble(f, TROUBLE_UNKNOWN, r->broken.text,
                "Ask as root, or as the owner of the state folder.",
                "Whether there are cuts is unknown");
    else if (!r->state && r->contents.npolicies)
        trouble(f, TROUBLE_WARN, r->lacks.text,
                "Make that folder writable, or name another one with the option state.",
                "There is no state folder, so the store has no cuts");
    else if (r->state && r->lacks.text[0])
        trouble(
            f, TROUBLE_WARN, r->lacks.text,
            "Snapshots go on, but all checksums are computed again each time. Free space on its "
            "disk, or make the folder writable.",
            "Nothing can be remembered in the state folder");
}

static void trouble_losses(struct finder *f)
{
    const struct report *r = f->r;
    size_t n = 0;
    char lost[LOSS_WORDS], todo[256];
    for (size_t i = 0; i < r->ncuts; i++) {
        const struct cut_head *h = &r->cuts[i].head;
        if (h->guard != CUT_GUARD_TRIPPED || ++n > TOLD_MOST)
            continue;
        snprintf(todo, sizeof(todo),
                 "If that may be gone: `influxsnap prune --accept-loss=%" PRId64 "`. If not, the "
                 "cut before it still holds it. Until then no cut from this one on is folded.",
                 h->number);
        trouble(f, TROUBLE_WARN, loss_words(&h->lost, lost), todo,
                "Cut %" PRId64 " lost more of the store than the guard allows", h->number);
    }
    if (n > TOLD_MOST)
        trouble(f, TROUBLE_WARN, NULL, "`influxsnap list` shows all of them.",
                "%zu more cuts lost more than the guard allows", n - TOLD_MOST);
}

static void trouble_left_out(struct finder *f)
{
    uint64_t n = f->r->ncuts ? f->r->cuts[f->r->ncuts - 1].left_out : 0;
    if (n)
        trouble(f, TROUBLE_WARN, NULL,
                "`influxsnap cut` and last_capture in status.json name each, with the cause.",
                "The newest cut is without %" PRIu64 " item%s of the store", n, plural(n));
}

static void troubles_of_chain(struct finder *f)
{
    const struct report *r = f->r;
    size_t set_back = 0;
    if (r->known == REPORT_CUTS && r->broken.text[0])
        trouble(
            f, TROUBLE_BAD, r->broken.text,
            "The cuts before the damage can still be read: copy what is needed of them. Then move "
            "the folder cuts of the state folder away; the next cut begins a new chain.",
            "The cuts are damaged");
    trouble_losses(f);
    trouble_left_out(f);
    for (size_t i = 1; i < r->ncuts; i++)
        set_back += report_clock_set(&r->cuts[i], &r->cuts[i - 1]);
    if (set_back)
        trouble(f, TROUBLE_NOTE, NULL, NULL, "The clock was set back before %zu of the cuts",
                set_back);
    if (r->links.how == CUT_LINKS_COPIED || r->links.how == CUT_LINKS_PARTLY)
        trouble(
            f, TROUBLE_NOTE, r->links.why.text,
            "Each cut costs the bytes of its files at once. A state folder on the file system of "
            "the data folder avoids that.",
            "Cuts copy files instead of linking them");
}

static void trouble_space(struct finder *f)
{
    const struct report *r = f->r;
    char left[SIZE_TEXT], reserve[SIZE_TEXT];
    if (r->state && !r->disk_bytes)
        trouble(f, TROUBLE_UNKNOWN, NULL, NULL,
                "The free space on the disk of the state folder %.300s is unknown", r->state);
    if (r->free_bytes >= r->reserve_bytes)
        return;
    size_text((double)r->free_bytes, left);
    size_text((double)r->reserve_bytes, reserve);
    trouble(f, r->free_bytes < r->reserve_bytes / 2 ? TROUBLE_BAD : TROUBLE_WARN, NULL,
            "Free space on this disk, fold cuts with `influxsnap prune --keep=N`, or set a smaller "
            "reserve.",
            "Only %s are free on the disk of the state folder %.300s, less than the reserve of %s, "
            "so no cut is made",
            left, r->state, reserve);
}

static void trouble_age(struct finder *f, int64_t ns)
{
    const struct value_age *most = &f->r->options->max_age;
    const int64_t age = f->r->at_ns - ns;
    char text[TIME_TEXT];
    time_text(ns, text);
    if (age < -60 * SECOND_NS)
        trouble(f, TROUBLE_WARN, NULL, "Set the clock right, and make another one.",
                "The last cut or backup, of %.10s %.5s UTC, is of a time to come: the clock was "
                "set back since",
                text, text + 11);
    else if (age > most->warn_ns)
        trouble(f, age > most->critical_ns ? TROUBLE_BAD : TROUBLE_WARN, NULL,
                "See whether the job that makes them still runs.",
                "No cut or backup since %.10s %.5s UTC is known", text, text + 11);
}

static void trouble_no_copy(struct finder *f)
{
    const struct report *r = f->r;
    const int64_t cut = report_cut_ns(r), backup = report_backup_ns(r);
    const int64_t every = r->mount ? r->options->every_ns : 0;
    if (r->contents.known && !r->contents.npolicies)
        return; /* there is nothing to be copied */
    if (every && r->at_ns - time_later(cut, r->mount->mounted_ns) > 2 * every + 60 * SECOND_NS)
        trouble(f, TROUBLE_BAD, NULL, "The log of influxfs and the last error say why.",
                "The timer has made no cut for more than twice the time that it should take");
    else if (cut || backup)
        trouble_age(f, time_later(cut, backup));
    else if (r->contents.npolicies && r->known != REPORT_UNKNOWN_CUTS &&
             !r->history_unknown.text[0])
        trouble(f, TROUBLE_BAD, NULL,
                "Copy snapshots/now.tar of a mount, run `influxsnap backup`, or mount with the "
                "option every.",
                "No cut and no backup is known");
}

/* Whether it is to go on: a fetch or a dump by hand, once, was for what had happened then. */
static bool trouble_job_goes_on(const struct jobs *j, enum job_kind kind)
{
    uint64_t runs = 0;
    for (int i = 0; i < HISTORY_RESULTS; i++)
        runs += j->of[kind].total[i];
    return kind == JOB_ARCHIVE || j->of[kind].unit || runs > 1;
}

/* Of the archive it is told where there is no other copy that is as new: once. */
static void trouble_job_age(struct finder *f, enum job_kind kind)
{
    const struct value_age *most = &f->r->options->max_age;
    const int64_t ns = f->r->jobs.of[kind].good_ns, age = f->r->at_ns - ns;
    const int64_t copy = time_later(report_cut_ns(f->r), report_backup_ns(f->r));
    char text[TIME_TEXT], todo[256];
    if (!ns || age <= most->warn_ns || !trouble_job_goes_on(&f->r->jobs, kind) ||
        (kind == JOB_ARCHIVE && copy <= ns + 60 * SECOND_NS))
        return;
    time_text(ns, text);
    snprintf(
        todo, sizeof(todo),
        "See whether influxfs-%s.timer, or what else starts it, still runs. If it is not to run "
        "any more, set \"good\" of \"%s\" to null in jobs.json of the state folder, and this is "
        "forgotten.",
        job_kind_names[kind], job_kind_names[kind]);
    trouble(f, age > most->critical_ns ? TROUBLE_BAD : TROUBLE_WARN, NULL, todo,
            "influxfs-%s has not ended well since %.10s %.5s UTC", job_kind_names[kind], text,
            text + 11);
}

static void trouble_job_ended(struct finder *f, enum job_kind kind)
{
    const struct job_end *last = &f->r->jobs.of[kind].last;
    const char *name = job_kind_names[kind], *day = last->day ? last->day : "an unknown day";
    const char *slash =
        strchr(day, '/'); /* of several days: the first, and the one after the last */
    char todo[256], range[64];
    if (!last->ended_ns || last->result == HISTORY_DONE)
        return;
    if (slash)
        snprintf(range, sizeof(range), "--from=%.*s --to=%.20s", (int)(slash - day), day,
                 slash + 1);
    else
        snprintf(range, sizeof(range), "--day=%.40s", day);
    snprintf(todo, sizeof(todo),
             "Remove the cause, and run it again: `systemctl start influxfs-%s`, or by hand with "
             "%s.",
             name, range);
    if (last->result == HISTORY_FAILED)
        trouble(f, TROUBLE_WARN, last->text, todo, "The last influxfs-%s, for %.40s, failed", name,
                day);
    else
        trouble(f, TROUBLE_WARN, last->text, NULL,
                "The last influxfs-%s, for %.40s, was done with omissions", name, day);
}

static void trouble_left_stopped(struct finder *f)
{
    const struct report *r = f->r;
    char since[TIME_TEXT], todo[400];
    if (!report_left_stopped(r))
        return;
    time_text(r->stopped.since_ns, since);
    snprintf(todo, sizeof(todo), "Start it: `systemctl start %.300s`.", r->stopped.units[0]);
    trouble(f, TROUBLE_BAD, NULL, todo,
            "%.200s was stopped by a fetch that was killed, or could not start it again, at %.10s "
            "%.5s UTC",
            r->stopped.units[0], since, since + 11);
}

static void troubles_of_jobs(struct finder *f)
{
    const struct job_now *now = &f->r->job_now;
    char since[TIME_TEXT];
    if (f->r->jobs_unknown.text[0])
        trouble(f, TROUBLE_UNKNOWN, f->r->jobs_unknown.text, NULL,
                "How the nightly jobs ended is unknown");
    trouble_left_stopped(f);
    for (enum job_kind kind = JOB_ARCHIVE; kind < JOB_KINDS; kind++) {
        trouble_job_ended(f, kind);
        trouble_job_age(f, kind);
    }
    if (!now->working || !now->known)
        return;
    time_text(now->since_ns, since);
    trouble(f, TROUBLE_NOTE, NULL, NULL, "influxfs-%s is at work since %.10s %.5s UTC",
            job_kind_names[now->kind], since, since + 11);
}

/* That there was one once: somebody meant to go on with it. */
static void trouble_not_verified(struct finder *f)
{
    const int64_t ns = history_good_ns(&f->r->history, HISTORY_VERIFY);
    char text[TIME_TEXT];
    if (!ns || f->r->at_ns - ns < VERIFY_NS)
        return;
    time_text(ns, text);
    trouble(f, TROUBLE_NOTE, NULL, "Run `influxsnap verify` on the newest backup.",
            "No cut or backup was verified since %.10s", text);
}

/* What was found bad is told until the same thing is good: of each, its last verification counts. */
static void troubles_of_verification(struct finder *f)
{
    const struct history *h = &f->r->history;
    size_t bad = 0;
    for (size_t i = 0; i < h->of[HISTORY_VERIFY].n; i++) {
        const struct history_entry *v = &h->of[HISTORY_VERIFY].at[i];
        const bool missing = i == 0 && v->gone;
        if ((!missing && !history_is_bad(h, i)) || ++bad > TOLD_MOST)
            continue;
        if (strcmp(v->what, HISTORY_CUTS) == 0)
            trouble(f, TROUBLE_BAD, v->text,
                    "Copy what is needed of the other cuts. Then move the folder cuts of the state "
                    "folder away: the next cut begins a new chain. This is told until "
                    "`influxsnap verify` finds the cuts good.",
                    "The last verification of the cuts failed");
        else
            trouble(f, TROUBLE_BAD, v->text,
                    "Do not rely on this copy: make another one in its place, and verify that. If "
                    "it was removed, verify it once more, and this is forgotten.",
                    "The last verification of %.300s failed", v->what);
    }
    if (bad > TOLD_MOST)
        trouble(f, TROUBLE_BAD, NULL, "history.json of the state folder names all of them.",
                "%zu more things were found bad by their last verification", bad - TOLD_MOST);
}

/* Whether a nightly job did this, and is told itself. */
static bool trouble_is_of_job(const struct finder *f, enum history_kind kind,
                              const struct history_entry *h)
{
    const enum job_kind by = kind == HISTORY_BACKUP ? JOB_ARCHIVE : JOB_FETCH;
    const struct job_end *last = &f->r->jobs.of[by].last;
    return last->ended_ns && last->result != HISTORY_DONE && h->ended_ns >= last->began_ns &&
           h->ended_ns <= last->ended_ns;
}

static void trouble_ended(struct finder *f, enum history_kind kind, const char *name,
                          enum trouble_level failed, const char *todo)
{
    const struct history_entry *h = f->r->history.of[kind].at;
    if (!f->r->history.of[kind].n || h->result == HISTORY_DONE || trouble_is_of_job(f, kind, h))
        return;
    if (h->result == HISTORY_FAILED)
        trouble(f, failed, h->text, todo, "The last %s, of %.300s, failed", name, h->what);
    else
        trouble(f, TROUBLE_WARN, h->text, NULL, "The last %s, of %.300s, left something out", name,
                h->what);
}

static void troubles_of_history(struct finder *f)
{
    const struct history *h = &f->r->history;
    const bool old =
        h->of[HISTORY_RESTORE].n && f->r->at_ns - h->of[HISTORY_RESTORE].at->ended_ns > RESTORE_NS;
    if (f->r->history_unknown.text[0])
        trouble(f, TROUBLE_UNKNOWN, f->r->history_unknown.text, NULL,
                "What was backed up, verified and restored is unknown");
    trouble_ended(f, HISTORY_BACKUP, "backup", TROUBLE_WARN, "Remove the cause, and run it again.");
    troubles_of_verification(f);
    trouble_ended(f, HISTORY_RESTORE, "restore", old ? TROUBLE_NOTE : TROUBLE_WARN,
                  "A refused restore leaves the store as it was. Remove the cause, and copy the "
                  "snapshot again.");
}

static void troubles_of_capture(struct finder *f)
{
    const struct report_capture *c = &f->r->mount->last.capture;
    char words[sizeof(((struct err *)0)->text)], size[SIZE_TEXT];
    size_t n = omissions_that_count(&c->left_out);
    if (c->damaged.n)
        trouble(
            f, TROUBLE_BAD, c->damaged.at[0],
            "Snapshots hold these files as they are. An older cut or backup may hold them whole; "
            "status.json names all of them.",
            "%zu file%s of the store %s damaged", c->damaged.n, plural(c->damaged.n),
            c->damaged.n == 1 ? "is" : "are");
    if (!n)
        return;
    omissions_say(&c->left_out, words, sizeof(words));
    size_text((double)omissions_bytes(&c->left_out), size);
    trouble(
        f, TROUBLE_WARN, words,
        "What is left out is in no snapshot. Remove what is not needed; status.json names each.",
        "The last snapshot left out %zu item%s of the store, %s", n, plural(n), size);
}

/* A failed restore that is in the history is not told twice. */
static void troubles_of_restore(struct finder *f)
{
    const struct progress *p = &f->r->mount->restore;
    if (p->state == PROGRESS_REFUSED && !f->r->history.of[HISTORY_RESTORE].n)
        trouble(f, TROUBLE_WARN, p->error,
                "The store is as it was, unless the reason says otherwise.",
                "The last restore, of %s, was refused", p->name ? p->name : "a snapshot");
    if (p->waiting.n)
        trouble(f, f->r->at_ns - p->ended_ns > WAIT_NS ? TROUBLE_WARN : TROUBLE_NOTE,
                p->waiting.at[0].waits_for, "Copy what they wait for into restore/, in any order.",
                "%zu number%s in restore/ %s for the one before", p->waiting.n,
                plural(p->waiting.n), p->waiting.n == 1 ? "waits" : "wait");
    for (size_t i = 0; i < p->nwarnings && i < TOLD_MOST; i++)
        trouble(f, TROUBLE_NOTE, p->warnings[i], NULL, "About the restore that was done last");
}

static bool is_told(const struct finder *f, const char *text)
{
    for (size_t i = 0; i < f->out->n; i++)
        if (strstr(text, f->out->at[i].why.text) && f->out->at[i].why.text[0])
            return true;
    return false;
}

/* When anything went well last. */
static int64_t newest_success_ns(const struct report *r)
{
    int64_t ns = time_later(report_cut_ns(r), r->mount->last.success.at_ns);
    for (int k = 0; k < HISTORY_KINDS; k++)
        ns = time_later(ns, history_good_ns(&r->history, (enum history_kind)k));
    return ns;
}

static void troubles_of_mount(struct finder *f)
{
    const struct report_mount *m = f->r->mount;
    const struct report_event *e = &m->last.error;
    char rate[SIZE_TEXT];
    troubles_of_capture(f);
    troubles_of_restore(f);
    if (m->timer.error.at_ns)
        trouble(f, TROUBLE_WARN, m->timer.error.text, "It is tried again by itself.",
                "The timer failed: %s", m->timer.error.what);
    if (e->at_ns > newest_success_ns(f->r) && !is_told(f, e->text))
        trouble(f, TROUBLE_WARN, e->text, NULL, "The last error: %s", e->what);
    if (m->dumps_lack.n)
        trouble(f, TROUBLE_WARN, m->dumps_lack.at[0], "status.json names all.",
                "Dumps lack what is damaged in the store");
    if (m->timer.fold.held_back)
        trouble(f, TROUBLE_NOTE, NULL, NULL, "Cuts in use, and those after them, are not folded");
    if (m->held_to) {
        size_text((double)m->held_to, rate);
        trouble(f, TROUBLE_NOTE, NULL, NULL,
                "Readers are held to %s a second, so that influxd keeps "
                "its pace",
                rate);
    }
}

int troubles_find(const struct report *r, struct troubles *out)
{
    struct finder f = {.r = r, .out = out};
    *out = (struct troubles){0};
    troubles_of_store(&f);
    troubles_of_state(&f);
    troubles_of_chain(&f);
    trouble_space(&f);
    trouble_no_copy(&f);
    troubles_of_jobs(&f);
    troubles_of_history(&f);
    trouble_not_verified(&f);
    if (r->mount)
        troubles_of_mount(&f);
    if (f.rc < 0)
        troubles_clear(out);
    return f.rc;
}

enum trouble_level troubles_worst(const struct troubles *t)
{
    return t->n ? t->at[0].level : TROUBLE_NOTE;
}

void troubles_clear(struct troubles *t)
{
    free(t->at);
    *t = (struct troubles){0};
}
