/* SPDX-License-Identifier: MIT */
#include "fs/cutter.h"

#include "fs/recorder.h"
#include "store/base/cleanup.h"
#include "store/base/log.h"
#include "store/base/time.h"
#include "store/base/worker.h"
#include "store/chain/cut_loss.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_NS (5 * SECOND_NS)    /* how often it looks at what others did, at most */
#define RETRY_NS (60 * SECOND_NS)  /* after a failure */
#define NOTE_NS (3600 * SECOND_NS) /* between notes that nothing has changed */

struct cutter {
    struct fs *fs;
    struct worker *worker; /* its lock guards report */
    struct report_timer report;
    struct err said;    /* why whole files were copied, as logged */
    struct err omitted; /* what the last cut left out, as logged */
    /* Monotonic; the thread's own: */
    int64_t cut_ns;        /* monotonic: the last attempt */
    int64_t noted_ns;      /* the last note that nothing has changed; 0: none */
    int64_t not_before_ns; /* since it failed */
    int64_t fold_ns;       /* the last attempt, and the state of the chain then */
    uint64_t fold_version;
};

static bool is_stopped(void *arg)
{
    const struct cutter *c = arg;
    return worker_is_stopping(c->worker);
}

/* Compares without numbers, since free space differs each time. */
static bool same_reason(const char *a, const char *b)
{
    for (;;) {
        while (isdigit((unsigned char)*a))
            a++;
        while (isdigit((unsigned char)*b))
            b++;
        if (*a != *b || !*a)
            return *a == *b;
        a++, b++;
    }
}

static void cutter_failed(struct cutter *c, const char *what, const char *why)
{
    struct report_event *ev = &c->report.error;
    worker_lock(c->worker);
    bool told = strcmp(ev->what, what) == 0 && same_reason(ev->text, why);
    ev->at_ns = time_wall_ns();
    snprintf(ev->what, sizeof(ev->what), "%s", what);
    snprintf(ev->text, sizeof(ev->text), "%s", why);
    worker_unlock(c->worker);
    counters_error(&c->fs->counters, REPORT_ERROR_OTHER);
    if (!told)
        status_failed(c->fs->status, what, why);
}

static void succeeded(struct cutter *c, const char *what)
{
    worker_assert_locked(c->worker);
    if (strcmp(c->report.error.what, what) == 0)
        c->report.error = (struct report_event){0};
}

static bool is_due(const struct cutter *c)
{
    int64_t every = c->fs->options->every_ns, now = time_mono_ns();
    struct cut_info latest;
    if (!every || now < c->not_before_ns || (c->cut_ns && now - c->cut_ns < every))
        return false;
    int r = cuts_latest(c->fs->cuts, &latest, NULL);
    int64_t age = r == 0 ? time_wall_ns() - latest.head.wall_ns : every;
    /* A clock that was set back says nothing about age; a cut now heals that. */
    return age < 0 || age >= every;
}

/* Logged once, until something else is left out. */
static void captured(void *arg, const struct capture *capture)
{
    struct cutter *c = arg;
    struct err now = {0};
    if (omissions_that_count(capture_left_out(capture)))
        omissions_say(capture_left_out(capture), now.text, sizeof(now.text));
    if (now.text[0] && strcmp(now.text, c->omitted.text) != 0)
        log_warning("cut: %s", now.text);
    c->omitted = now;
}

static void log_loss(const struct cut_result *res)
{
    char lost[LOSS_WORDS];
    if (!res->made || !*loss_words(&res->head.lost, lost))
        return;
    if (res->head.guard == CUT_GUARD_TRIPPED)
        log_warning("cut %lld: %s; it is not folded until `influxsnap prune --accept-loss=%lld`",
                    (long long)res->number, lost, (long long)res->number);
    else
        log_info("cut %lld: %s", (long long)res->number, lost);
}

/* So that an idle store looks watched, also to those who ask without a mount. */
static void cutter_note_unchanged(struct cutter *c, const struct cut_result *res, int64_t began)
{
    const struct history_entry look = {.result = HISTORY_DONE,
                                       .took_ns = time_mono_ns() - began,
                                       .what = "option every=",
                                       .id = res->id,
                                       .text = HISTORY_UNCHANGED};
    if (res->made || (c->noted_ns && began - c->noted_ns < NOTE_NS))
        return;
    c->noted_ns = began;
    recorder_add(c->fs->recorder, HISTORY_BACKUP, &look);
}

/* "Nothing to cut yet" is not a failure: the store may still be restored. */
static void cut(struct cutter *c)
{
    const struct options *o = c->fs->options;
    const struct tarball_reader reader = {is_stopped, c};
    struct cut_rules rules = o->rules;
    rules.captured = captured;
    rules.arg = c;
    struct cut_result res;
    struct err e = {0};
    int64_t began = time_mono_ns();
    int r = cuts_make(c->fs->cuts, &rules, &reader, &res, &e);
    if (r < 0) {
        c->not_before_ns = time_mono_ns() + (o->every_ns < RETRY_NS ? o->every_ns : RETRY_NS);
        if (r != -ENOENT && r != -EINTR)
            cutter_failed(c, "cut", e.text);
        return;
    }
    c->cut_ns = began;
    if (res.made && res.number < 0)
        log_info("first cut: %llu files, %llu bytes", (unsigned long long)res.files,
                 (unsigned long long)res.bytes);
    else if (res.made)
        log_info("cut %lld: %llu files, %llu bytes changed", (long long)res.number,
                 (unsigned long long)res.files, (unsigned long long)res.bytes);
    c->fs->counters.cuts += res.made;
    cutter_note_unchanged(c, &res, began);
    log_loss(&res);
    if (res.said.text[0] && strcmp(res.said.text, c->said.text) != 0)
        log_info("cut: %s", res.said.text);
    c->said = res.said.text[0] ? res.said : c->said;
    worker_lock(c->worker);
    c->report.cut_ns = time_wall_ns();
    c->report.cut = res;
    succeeded(c, "cut");
    worker_unlock(c->worker);
}

static bool cutter_must_fold(const struct cutter *c)
{
    autofree struct cut_info *list = NULL;
    struct err broken = {0};
    size_t n;
    uint64_t keep = c->fs->options->keep;
    if (keep == OPTIONS_KEEP_ALL || (c->fold_ns && c->fold_version == cuts_version(c->fs->cuts) &&
                                     time_mono_ns() - c->fold_ns < RETRY_NS))
        return false;
    if (cuts_list(c->fs->cuts, &list, &n, &broken, NULL) < 0 || broken.text[0])
        return false; /* a cut says so */
    return n > 0 && n - 1 >= 2 * keep;
}

static void cutter_fold(struct cutter *c)
{
    struct prune_result res;
    struct err e = {0};
    int r = cuts_prune(c->fs->cuts, c->fs->options->keep, &res, &e);
    c->fold_ns = time_mono_ns();
    c->fold_version = cuts_version(c->fs->cuts);
    if (r < 0) {
        cutter_failed(c, "folding cuts", e.text);
        return;
    }
    c->fs->counters.folds += res.folded > 0;
    if (res.folded)
        log_info("%llu cuts folded: the base stands for %lld, %llu bytes freed",
                 (unsigned long long)res.folded, (long long)res.base,
                 (unsigned long long)res.freed);
    worker_lock(c->worker);
    c->report.fold_ns = time_wall_ns();
    c->report.fold = res;
    succeeded(c, "folding cuts");
    worker_unlock(c->worker);
}

static int64_t cutter_step(struct worker *w, void *arg)
{
    struct cutter *c = arg;
    int64_t part = c->fs->options->every_ns / 4;
    worker_unlock(w);
    if (is_due(c))
        cut(c);
    if (!worker_is_stopping(w) && cutter_must_fold(c))
        cutter_fold(c);
    worker_lock(w);
    return time_mono_ns() + (part && part < LOOK_NS ? part : LOOK_NS);
}

int cutter_start(struct fs *fs)
{
    if (!fs->cuts || (!fs->options->every_ns && fs->options->keep == OPTIONS_KEEP_ALL))
        return 0;
    struct cutter *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->fs = fs;
    fs->cutter = c;
    int r = worker_start(cutter_step, c, &c->worker);
    if (r < 0) {
        free(c);
        fs->cutter = NULL;
    }
    return r;
}

void cutter_stop(struct cutter *c)
{
    if (!c)
        return;
    worker_stop(c->worker);
    free(c);
}

void cutter_get(struct cutter *c, struct report_timer *out)
{
    worker_lock(c->worker);
    *out = c->report;
    worker_unlock(c->worker);
}
