/* SPDX-License-Identifier: MIT */
/* Applies a job's result (job.h) to its session: the targets, the log, the status, and the
 * callback. */
#include "store/restore/session_parts.h"

#include "store/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job outcome_begin(const struct session *s, struct targets *t)
{
    return (struct job){
        .t = t,
        .record = s->record,
        .check = {.in_use = s->options.in_use, .paths = staging_paths(s->staging)},
        .keep_expired = s->options.keep_expired,
    };
}

static void outcome_warn(void *arg, const char *line, bool warning)
{
    struct session *s = arg;
    account_say(s->account, "%s%s", warning ? "warning: " : "", line);
    if (warning)
        account_warn(s->account, line);
}

/* For the program's log; what was unpacked is in the session's. */
static void outcome_log(const struct job *j, const char *name, char *const kept[TARGETS])
{
    struct err old = {0};
    for (int i = 0; i < TARGETS; i++) {
        size_t n = strlen(old.text);
        if (kept[i])
            snprintf(old.text + n, sizeof(old.text) - n, "%s%s", n ? ", " : "", kept[i]);
    }
    log_info("restored %s: snapshot %s, %llu bytes; %s%s", name, j->state->id,
             (unsigned long long)j->state->bytes,
             old.text[0] ? "the old store is kept as " : "there was no store", old.text);
}

/* Another store is there: says where the old one is kept, and what to know of the new one. */
static void outcome_exchanged(struct session *s, struct job *j, const char *name)
{
    char *kept[TARGETS] = {0};
    for (int i = 0; i < TARGETS; i++)
        if (target_has_side(&j->t->at[i], SIDE_KEPT))
            kept[i] = target_side_path(&j->t->at[i], SIDE_KEPT);
    account_restored(s->account, kept, &j->advice.composed);
    outcome_log(j, name, kept);
    for (int i = 0; i < TARGETS; i++)
        free(kept[i]);
    advice_clear(&s->advice);
    s->advice = j->advice;
    j->advice = (struct advice){0};
    advice_lines(&s->advice, outcome_warn, s);
}

static void outcome_say(struct session *s, const struct job *j, enum progress_state verdict,
                        bool exchanged, const char *name, const char *why)
{
    const struct store_paths *p = staging_paths(s->staging);
    if (j->note.text[0])
        account_say(s->account, "%s", j->note.text);
    if (verdict == PROGRESS_REFUSED)
        account_say(s->account, "refused %s: %s", name, why);
    else if (exchanged)
        account_say(s->account, "restored %s into %s, %s and %s", name, p->meta, p->data, p->wal);
}

void outcome_end(struct session *s, struct job *j, enum progress_state verdict, bool exchanged,
                 const char *name, const char *why)
{
    if (exchanged)
        outcome_exchanged(s, j, name);
    outcome_say(s, j, verdict, exchanged, name, why);
    if (exchanged && !j->request)
        record_end(s->record, true); /* after the log: what is not said yet, the next mount says */
    if (j->t && j->t->half)
        staging_keep_half(s->staging, j->t); /* with its lock: the next mount finishes it */
    else
        targets_free(j->t); /* with its lock, before another begins */
    job_clear(j);
    if (verdict != PROGRESS_IDLE)
        account_state(s->account, verdict, name, verdict == PROGRESS_REFUSED ? why : NULL);
    if (exchanged && s->options.restored)
        s->options.restored(s->options.arg);
}
