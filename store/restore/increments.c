/* SPDX-License-Identifier: MIT */
#include "store/restore/increments.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/restore/chain_order.h"
#include "store/restore/session_parts.h"

#include <errno.h>
#include <inttypes.h>

int increments_receive(struct session *s, const char *name, const struct manifest *m,
                       struct increment **out, struct stage **stage, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    if (m->selection && !s->options.collect)
        return err_set(e, -EINVAL,
                       "%s is number %" PRId64 " of a part of a store, and can only be restored "
                       "together with what it builds on: use `influxsnap restore`",
                       name, m->number);
    int ret = staging_aside(s->staging, &t, e);
    if (ret < 0)
        return ret;
    if ((ret = increment_new(t, m, out, stage, e)) < 0)
        return ret;
    parked_receiving(s->parked);
    account_describe(s->account, name, m);
    return 0;
}

void increments_say_begun(struct session *s, const char *name, const struct manifest *m)
{
    account_say(
        s->account,
        "receiving %s: number %" PRId64 ", snapshot %s of %s, taken %s, %zu files, %llu bytes",
        name, m->number, m->id, m->host, manifest_time(m), m->nfiles, (unsigned long long)m->bytes);
}

void increments_discard(struct session *s, struct increment *i)
{
    cleanup(targets_freep) struct targets *t = NULL;
    bool inside = i->inside;
    increment_free(i);
    parked_received(s->parked);
    if (inside && staging_targets(s->staging, &t, NULL) == 0)
        staging_remove_homes(s->staging, t);
}

int increments_look(struct session *s, const struct targets *t, struct manifest **present,
                    bool *moved_on, struct err *e)
{
    int ret = record_look(s->record, t, present, moved_on, e);
    if (ret == 1) {
        account_say(s->account,
                    "restored: the store is snapshot %s, although its restore was killed",
                    (*present)->id);
        record_end(s->record, true);
    }
    return ret < 0 ? ret : 0;
}

void increments_open(struct session *s, struct targets *t)
{
    struct err said = {0};
    struct increment_list waiting = {0};
    cleanup(manifest_freep) struct manifest *present = NULL;
    bool moved_on = false;
    if (targets_lock(t, false, NULL) < 0)
        return; /* another process restores, and will see to it */
    increment_tidy(t, &said);
    if (said.text[0]) {
        account_say(s->account, "%s", said.text);
        staging_remove_homes(s->staging, t);
    }
    if (increment_list(t, &waiting, NULL) == 0 && (waiting.n || record_unsettled(s->record)) &&
        increments_look(s, t, &present, &moved_on, NULL) == 0)
        increments_show(s, t, present);
    increment_list_free(&waiting);
    targets_unlock(t);
}

static int add_to_job(struct job *j, const struct increment *i)
{
    if (!array_grow(&j->all, j->n))
        return -ENOMEM;
    j->all[j->n++] = i;
    return 0;
}

int increments_gather(struct session *s, struct job *j, const struct manifest *full,
                      const struct increment *came, struct err *e)
{
    int ret = s->options.collect ? 0 : increment_list(j->t, &j->waiting, e);
    if (ret < 0)
        return ret;
    for (size_t k = 0; ret == 0 && k < j->waiting.n; k++)
        ret = add_to_job(j, j->waiting.at[k]);
    if (ret == 0 && full)
        ret = parked_append(s->parked, full, &j->all, &j->n);
    if (ret == 0 && came)
        ret = add_to_job(j, came);
    if (ret == 0 && !(j->manifests = calloc(j->n + 1, sizeof(*j->manifests))))
        ret = -ENOMEM;
    for (size_t k = 0; ret == 0 && k < j->n; k++)
        j->manifests[k] = j->all[k]->m;
    return ret < 0 ? err_sys(e, ret, "restore") : 0;
}

/* A waiting increment was applied: removes it, or parks it after others. */
static void retire(struct session *s, const struct targets *t, const struct increment *waiting)
{
    struct increment *i = NULL;
    if (parked_any(s->parked) && increment_park(t, waiting, &i) == 0)
        parked_add(s->parked, i, false);
    else
        increment_remove(t, waiting);
}

void increments_remove_unfit(struct session *s, const struct job *j)
{
    for (size_t k = 0; k < j->waiting.n; k++) {
        if (j->waiting.at[k] != j->unfit)
            continue;
        account_say(s->account, "removed %s, which was waiting: %s", j->unfit->name, j->why.text);
        increment_remove(j->t, j->unfit);
    }
}

void increments_settle(struct session *s, const struct job *j, const struct increment *came)
{
    for (size_t k = 0; k < j->nrun; k++)
        if (j->run[k] != came)
            account_say(s->account,
                        "restored %s: number %" PRId64 ", which came before what it builds on",
                        j->run[k]->name, j->run[k]->m->number);
    for (size_t k = 0; k < j->waiting.n; k++) {
        const struct increment *i = j->waiting.at[k];
        if (job_has(j, i)) {
            retire(s, j->t, i);
        } else if (chain_order_stale(i->m, j->state)) {
            account_say(s->account, "%s: number %" PRId64 " is superseded by what was restored",
                        i->name, i->m->number);
            increment_remove(j->t, i);
        }
    }
    increments_remove_unfit(s, j);
    increments_show(s, j->t, j->state);
}

void increments_show(struct session *s, const struct targets *t, const struct manifest *present)
{
    struct increment_list waiting;
    struct waiting_list shown = {0};
    if (increment_list(t, &waiting, NULL) < 0)
        return;
    autofree const struct manifest **all = calloc(waiting.n + 1, sizeof(*all));
    int ret = all ? 0 : -ENOMEM;
    for (size_t k = 0; ret == 0 && k < waiting.n; k++)
        all[k] = waiting.at[k]->m;
    for (size_t k = 0; ret == 0 && k < waiting.n; k++) {
        struct err words;
        chain_order_waits_for(all, waiting.n, k, present, &words);
        ret = waiting_add(&shown, waiting.at[k]->name, waiting.at[k]->m, words.text);
    }
    if (ret == 0)
        account_set_waiting(s->account, &shown);
    waiting_free(&shown);
    increment_list_free(&waiting);
}

int increments_forget(struct session *s, struct err *e)
{
    struct increment_list waiting = {0};
    cleanup(targets_freep) struct targets *t = NULL;
    parked_clear(s->parked);
    int ret = staging_targets(s->staging, &t, e);
    if (ret < 0 || (ret = staging_lock(s->staging, t, false, e)) < 0 ||
        (ret = increment_list(t, &waiting, e)) < 0)
        return ret;
    for (size_t k = 0; ret == 0 && k < waiting.n; k++) {
        ret = increment_remove(t, waiting.at[k]);
        if (ret < 0)
            err_sys(e, ret, "%s, which waits, cannot be removed", waiting.at[k]->name);
        else
            account_say(s->account, "removed %s, which was waiting, unrestored",
                        waiting.at[k]->name);
    }
    increment_list_free(&waiting);
    staging_remove_homes(s->staging, t);
    increments_show(s, t, NULL);
    return ret;
}
