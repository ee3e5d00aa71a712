/* SPDX-License-Identifier: MIT */
#include "store/restore/outcome.h"

#include <stdlib.h>

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

/* Another store is there: where the old one was kept, and what is to be known of the new one. */
static void outcome_exchanged(struct session *s, struct job *j)
{
    char *kept[TARGETS] = {0};
    for (int i = 0; i < TARGETS; i++)
        if (target_has_side(&j->t->at[i], SIDE_KEPT))
            kept[i] = target_side_path(&j->t->at[i], SIDE_KEPT);
    account_restored(s->account, kept);
    for (int i = 0; i < TARGETS; i++)
        free(kept[i]);
    advice_clear(&s->advice);
    s->advice = j->advice;
    j->advice = (struct advice){0};
    advice_lines(&s->advice, outcome_warn, s);
}

void outcome_of(struct session *s, struct job *j, bool exchanged)
{
    if (exchanged)
        outcome_exchanged(s, j);
    if (j->note.text[0])
        account_say(s->account, "%s", j->note.text);
    if (j->t->half)
        staging_keep_half(s->staging, j->t); /* with its lock: the next mount finishes it */
    else
        targets_free(j->t); /* with its lock, before another begins */
    job_clear(j);
}

void outcome_verdict(struct session *s, enum progress_state verdict, bool exchanged,
                     const char *name, const char *why)
{
    const struct store_paths *p = staging_paths(s->staging);
    const bool refused = verdict == PROGRESS_REFUSED;
    account_state(s->account, verdict, name, refused ? why : NULL);
    if (refused)
        account_say(s->account, "refused %s: %s", name, why);
    else if (exchanged)
        account_say(s->account, "restored %s into %s, %s and %s", name, p->meta, p->data, p->wal);
    if (exchanged && s->options.restored)
        s->options.restored(s->options.arg);
}
