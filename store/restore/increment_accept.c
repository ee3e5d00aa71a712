/* SPDX-License-Identifier: MIT */
/* The verdict on an increment that was received whole, and its consequences. */
#include "store/base/cleanup.h"
#include "store/base/log.h"
#include "store/restore/chain_order.h"
#include "store/restore/increments.h"
#include "store/restore/session_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* One increment, and what to judge it by. */
struct trial {
    struct session *s;
    struct increment *i; /* NULL, and no name: only those that wait are looked at */
    const char *name;
    enum increment_state state; /* what becomes of it */
    struct job job;
    struct manifest *present; /* what the store holds; NULL: not known */
    bool moved_on;            /* it has changed since that was restored */
    bool exchanged;
};

static int accept_park(struct trial *t, bool known)
{
    t->state = INCREMENT_PARKED;
    return parked_add(t->s->parked, steal_ptr(&t->i), known);
}

static int accept_keep(struct trial *t, enum increment_state as, const char *why, struct err *e)
{
    int ret = increment_keep(t->i, as, e);
    if (ret < 0)
        return ret;
    t->state = as;
    if (ret == 1)
        account_say(t->s->account, "%s is verified; the same number waits already", t->name);
    else
        account_say(t->s->account, "%s is number %" PRId64 ", verified, and waits: %s", t->name,
                    t->i->m->number, why);
    log_info("%s is verified and waits: number %" PRId64 ", snapshot %s: %s", t->name,
             t->i->m->number, t->i->m->id, why);
    return 0;
}

static int accept_keep_waiting(struct trial *t, struct err *e)
{
    struct err words;
    const struct job *j = &t->job;
    chain_order_waits_for(j->manifests, j->n, j->n - 1, t->present, &words);
    return accept_keep(t, INCREMENT_PENDING, words.text, e);
}

/* It was not applied. */
static int accept_judge(struct trial *t, struct err *e)
{
    const struct manifest *m = t->i->m;
    if (t->i == t->job.unfit)
        return err_set(e, -EBADMSG, "damaged: %s", t->job.why.text);
    switch (chain_order_judge(m, t->present, t->moved_on)) {
    case VERDICT_ALREADY:
        account_say(t->s->account, "%s: number %" PRId64 " is already restored%s", t->name,
                    m->number, t->moved_on ? "; the store has moved on since" : "");
        return accept_park(t, true);
    case VERDICT_SUPERSEDED:
        account_say(t->s->account,
                    "%s: number %" PRId64 " is superseded, number %" PRId64 " was restored",
                    t->name, m->number, t->present->number);
        return accept_park(t, true);
    case VERDICT_WRONG_PARENT:
        return err_set(e, -ESTALE,
                       "number %" PRId64 " builds on snapshot %s, and the store holds another "
                       "number %" PRId64 ", snapshot %s: they are of two histories; copy the "
                       "base.tar that belongs to it",
                       m->number, m->parent, t->present->number, t->present->id);
    case VERDICT_MOVED_ON:
        return err_set(e, -ESTALE,
                       "number %" PRId64 " builds on snapshot %s, but the store has moved on since "
                       "that was restored; copy base.tar and the numbers again",
                       m->number, m->parent);
    default:
        return accept_keep_waiting(t, e);
    }
}

/* The store becomes what the increments that follow it lead to. */
static int accept_apply(struct trial *t, struct err *e)
{
    struct job *j = &t->job;
    const char *name = t->i && job_has(j, t->i) ? t->name : j->run[0]->name;
    account_state(t->s->account, PROGRESS_INSTALLING, name, NULL);
    account_say(t->s->account, "installing %s, on top of snapshot %s", name, t->present->id);
    int ret = job_run(j, t->present, e);
    if (ret < 0)
        return ret;
    t->exchanged = true;
    manifest_free(steal_ptr(&t->present));
    t->moved_on = false;
    increments_settle(t->s, j, t->i);
    ret = manifest_copy(j->state, &t->present);
    return ret < 0 ? err_sys(e, ret, "restore") : 0;
}

/* Whatever follows what the store holds, of which all files count then. */
static int accept_plan(struct trial *t, struct err *e)
{
    manifest_free(steal_ptr(&t->present));
    int ret = record_read(t->s->record, &t->present, e);
    return ret < 0 ? ret : job_plan(&t->job, t->present, e);
}

static int accept_decide(struct trial *t, struct err *e)
{
    struct job *j = &t->job;
    int ret = increments_look(t->s, j->t, &t->present, &t->moved_on, e);
    if (ret == 0)
        ret = increments_gather(t->s, j, NULL, t->i, e);
    if (ret == 0 && t->present && !t->moved_on && j->n)
        ret = accept_plan(t, e);
    if (ret < 0)
        return ret;
    if (j->nrun > 0)
        ret = accept_apply(t, e);
    else
        increments_remove_unfit(t->s, j);
    if (ret == 0 && t->i && !job_has(j, t->i))
        ret = accept_judge(t, e);
    else if (ret == 0 && t->i && parked_any(t->s->parked))
        ret = parked_add(t->s->parked, steal_ptr(&t->i), false);
    if (ret == 0 && (t->state == INCREMENT_PENDING || !t->exchanged))
        increments_show(t->s, j->t, t->present);
    return ret;
}

static int accept_run(struct trial *t, struct err *e)
{
    struct targets *targets = NULL;
    int ret = staging_prepare(t->s->staging, &targets, e);
    t->job = outcome_begin(t->s, targets);
    if (ret == 0)
        ret = accept_decide(t, e);
    increment_free(steal_ptr(&t->i));
    if (targets && !targets->half)
        staging_remove_homes(t->s->staging, targets);
    return ret;
}

/* Logs the result. */
static void accept_end(struct trial *t, int ret, const struct err *e)
{
    const bool waits = t->state == INCREMENT_PENDING, looked = t->name == NULL;
    enum progress_state verdict = ret < 0                   ? PROGRESS_REFUSED
                                  : waits                   ? PROGRESS_PENDING
                                  : looked && !t->exchanged ? PROGRESS_IDLE
                                                            : PROGRESS_RESTORED;
    outcome_end(t->s, &t->job, verdict, t->exchanged,
                looked ? "numbers that were waiting" : t->name, e->text);
    manifest_free(t->present);
}

/* These functions take over the increment. *state is its new state, unless it was refused:
 * INCREMENT_INCOMING stands for restored. */

/* Puts it before the store. */
static int accept_now(struct session *s, struct increment *i, const char *name,
                      enum increment_state *state, struct err *e)
{
    struct trial t = {.s = s, .i = i, .name = name};
    int ret = accept_run(&t, e);
    accept_end(&t, ret, e);
    *state = t.state;
    return ret;
}

/* Keeps it as owed, because another has the staging area. */
static int accept_later(struct session *s, struct increment *i, const char *name,
                        enum increment_state *state, struct err *e)
{
    static const char why[] = "another restore is under way";
    struct trial t = {.s = s, .i = i, .name = name};
    int ret = accept_keep(&t, INCREMENT_OWED, why, e);
    if (ret == 0)
        account_add_waiting(s->account, i->name, i->m, why);
    increment_free(i);
    if (ret < 0) {
        account_say(s->account, "refused %s: %s", name, e->text);
        return ret;
    }
    *state = t.state;
    staging_owe(s->staging);
    return 0;
}

/* Only collects it, for the full snapshot that comes last. */
static int accept_collect(struct session *s, struct increment *i, const char *name,
                          enum increment_state *state)
{
    account_say(s->account, "%s is number %" PRId64 ", verified, and waits for the full snapshot",
                name, i->m->number);
    *state = INCREMENT_PARKED;
    return parked_add(s->parked, i, true);
}

void increments_catch_up(struct session *s)
{
    while (staging_take_owed(s->staging)) {
        struct err why = {0};
        struct trial t = {.s = s};
        accept_end(&t, accept_run(&t, &why), &why);
        staging_leave(s->staging);
    }
}

/* The increment is verified, in its slot: puts it before the store, or lets it wait. */
static int accept_route(struct session *s, const struct upload *u, struct increment *i,
                        const char *name, enum increment_state *state, struct err *e)
{
    if (s->options.collect)
        return accept_collect(s, i, name, state);
    if (!staging_take(s->staging, u)) {
        int ret = accept_later(s, i, name, state, e);
        increments_catch_up(s); /* if the staging area has been left meanwhile */
        return ret;
    }
    int ret = accept_now(s, i, name, state, e);
    if (staging_leave(s->staging))
        increments_catch_up(s);
    return ret;
}

int increments_accept(struct session *s, const struct upload *u, struct increment *i,
                      const char *name, bool *waits, struct err *e)
{
    struct err why = {0};
    enum increment_state state = INCREMENT_INCOMING;
    int ret = increment_name(i, name);
    if (ret < 0)
        increment_free(i);
    else
        ret = accept_route(s, u, i, name, &state, &why);
    parked_received(s->parked);
    *waits =
        ret == 0 && (state == INCREMENT_PENDING || state == INCREMENT_OWED || s->options.collect);
    return ret < 0 ? err_set(e, ret, "%s", why.text[0] ? why.text : strerror(-ret)) : 0;
}
