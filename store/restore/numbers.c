/* SPDX-License-Identifier: MIT */
/* The numbers of a session: received beside each other, then applied, put aside, or kept until
 * their parent comes. */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/restore/chain_order.h"
#include "store/restore/session_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ASIDE_NS (INT64_C(30) * 1000000000) /* as long as a dropped file stays visible */

int session_receive(struct session *s, const char *name, const struct manifest *m,
                    struct incoming **in, struct stage **stage, struct err *e)
{
    int fds[TARGETS];
    bool inside[TARGETS];
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = session_check(s, e);
    if (ret < 0 || (ret = session_layout(s, inside, e)) < 0 ||
        (ret = targets_open(&s->paths, s->options.uid, s->options.gid, &t, e)) < 0)
        return ret;
    for (int i = 0; i < TARGETS; i++)
        t->at[i].inside = inside[i];
    session_say(
        s, "receiving %s: number %" PRId64 ", snapshot %s of %s, taken %s, %zu files, %llu bytes",
        name, m->number, m->id, m->host, manifest_time(m), m->nfiles, (unsigned long long)m->bytes);
    if ((ret = incoming_new(t, m, fds, in, e)) < 0)
        return ret;
    pthread_mutex_lock(&s->lock);
    s->aside.receiving++;
    pthread_mutex_unlock(&s->lock);
    if ((ret = stage_new(t, fds, stage)) < 0) {
        targets_close(fds);
        session_discard(s, steal_ptr(in));
        return err_sys(e, ret, "staging");
    }
    stage_unsynced(*stage);
    pthread_mutex_lock(&s->lock);
    if (!s->owner && s->status.name && strcmp(s->status.name, name) == 0)
        progress_manifest(&s->status, m);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

void session_discard(struct session *s, struct incoming *in)
{
    cleanup(targets_freep) struct targets *t = NULL;
    bool inside = incoming_number(in)->inside;
    incoming_free(in);
    numbers_received(s);
    if (inside && !session_store_in_use(s) &&
        targets_open(&s->paths, s->options.uid, s->options.gid, &t, NULL) == 0)
        targets_remove_homes(t);
}

void numbers_received(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    s->aside.receiving--;
    s->aside.used_ns = io_mono_ns();
    pthread_mutex_unlock(&s->lock);
}

void aside_clear(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    struct aside a = s->aside;
    s->aside = (struct aside){.receiving = a.receiving};
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < a.n; i++)
        incoming_free(a.at[i]);
    free(a.at);
    free(a.old);
}

void aside_expire(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    bool due = s->aside.n && !s->aside.receiving && !s->options.collect &&
               io_mono_ns() - s->aside.used_ns >= ASIDE_NS;
    pthread_mutex_unlock(&s->lock);
    if (due)
        aside_clear(s);
}

int aside_add(struct session *s, struct incoming *in, bool old)
{
    struct aside *a = &s->aside;
    pthread_mutex_lock(&s->lock);
    struct incoming **at = realloc(a->at, (a->n + 1) * sizeof(*at));
    a->at = at ? at : a->at;
    bool *flags = at ? realloc(a->old, (a->n + 1) * sizeof(*flags)) : NULL;
    a->old = flags ? flags : a->old;
    if (flags) {
        at[a->n] = in;
        flags[a->n++] = old;
        a->used_ns = io_mono_ns();
    }
    pthread_mutex_unlock(&s->lock);
    if (!flags)
        incoming_free(in);
    return flags ? 0 : -ENOMEM;
}

/* Those put aside count if they were of no use by themselves, and this one leads to the first.
 * s->lock is held. */
static bool aside_counts(const struct session *s, const struct manifest *full)
{
    if (!full)
        return false;
    if (s->options.collect)
        return true;
    for (size_t i = 0; i < s->aside.n; i++)
        if (s->aside.old[i] && strcmp(incoming_number(s->aside.at[i])->m->parent, full->id) == 0)
            return true;
    return false;
}

int numbers_list(struct session *s, const struct targets *t, const struct manifest *full,
                 const struct number *more, struct candidates *out, struct err *e)
{
    *out = (struct candidates){0};
    int ret = s->options.collect ? 0 : pending_list(t, &out->waiting, e);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&s->lock);
    size_t naside = aside_counts(s, full) ? s->aside.n : 0;
    out->all = calloc(out->waiting.n + naside + 2, sizeof(*out->all));
    if (!out->all) {
        pthread_mutex_unlock(&s->lock);
        return err_sys(e, -ENOMEM, "restore");
    }
    for (size_t i = 0; i < out->waiting.n; i++)
        out->all[out->n++] = out->waiting.at[i];
    for (size_t i = 0; i < naside; i++)
        out->all[out->n++] = incoming_number(s->aside.at[i]);
    pthread_mutex_unlock(&s->lock);
    if (more)
        out->all[out->n++] = more;
    return 0;
}

void numbers_free(struct candidates *c)
{
    pending_free(&c->waiting);
    free(c->all);
    *c = (struct candidates){0};
}

/* One of those that wait was applied: it goes, or behind those that are put aside. */
static void retire(struct session *s, const struct targets *t, const struct number *n)
{
    struct incoming *in = NULL;
    if (s->aside.n && incoming_take(t, n, &in) == 0)
        aside_add(s, in, false);
    else
        pending_remove(t, n);
}

void numbers_drop_unfit(struct session *s, const struct job *j, const struct candidates *c)
{
    for (size_t i = 0; i < c->waiting.n; i++) {
        if (c->waiting.at[i] != j->unfit)
            continue;
        session_say(s, "removed %s, which was waiting: %s", j->unfit->name, j->why.text);
        pending_remove(j->t, j->unfit);
    }
}

void numbers_settle(struct session *s, const struct job *j, struct candidates *c,
                    const struct number *more)
{
    for (size_t i = 0; i < j->nrun; i++)
        if (j->run[i] != more)
            session_say(s, "restored %s: number %" PRId64 ", which came before what it builds on",
                        j->run[i]->name, j->run[i]->m->number);
    for (size_t i = 0; i < c->waiting.n; i++) {
        const struct number *n = c->waiting.at[i];
        if (job_has(j, n)) {
            retire(s, j->t, n);
        } else if (chain_order_stale(n->m, j->state)) {
            session_say(s, "%s: number %" PRId64 " is superseded by what was restored", n->name,
                        n->m->number);
            pending_remove(j->t, n);
        }
    }
    numbers_drop_unfit(s, j, c);
    numbers_tell(s, j->t, j->state);
}

static int copy_waiting(const struct number *n, const char *words, struct session_waiting *out)
{
    out->number = n->m->number;
    out->name = strdup(n->name);
    out->id = strdup(n->m->id);
    out->parent = strdup(n->m->parent);
    out->waits_for = strdup(words);
    return out->name && out->id && out->parent && out->waits_for ? 0 : -ENOMEM;
}

void session_waiting_free(struct session_waiting *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++) {
        free(list[i].name);
        free(list[i].id);
        free(list[i].parent);
        free(list[i].waits_for);
    }
    free(list);
}

void numbers_tell_one(struct session *s, const struct number *n, const char *waits_for)
{
    struct session_waiting one = {0};
    struct session_waiting *more = NULL;
    bool bad = copy_waiting(n, waits_for, &one) < 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->status.nwaiting; i++)
        bad = bad || strcmp(s->status.waiting[i].id, n->m->id) == 0; /* it is told already */
    if (!bad)
        more = realloc(s->status.waiting, (s->status.nwaiting + 1) * sizeof(*more));
    if (more) {
        s->status.waiting = more;
        more[s->status.nwaiting++] = one;
    }
    pthread_mutex_unlock(&s->lock);
    if (!more) {
        free(one.name);
        free(one.id);
        free(one.parent);
        free(one.waits_for);
    }
}

/* Status is no reason to fail: where memory or the disk fails, it is not told. */
void numbers_tell(struct session *s, const struct targets *t, const struct manifest *held)
{
    struct pending p;
    if (pending_list(t, &p, NULL) < 0)
        return;
    autofree const struct manifest **all = calloc(p.n + 1, sizeof(*all));
    struct session_waiting *list = calloc(p.n + 1, sizeof(*list));
    bool bad = !all || !list;
    for (size_t i = 0; !bad && i < p.n; i++)
        all[i] = p.at[i]->m;
    for (size_t i = 0; !bad && i < p.n; i++) {
        struct err words;
        chain_order_waits_for(all, p.n, i, held, &words);
        bad = copy_waiting(p.at[i], words.text, &list[i]) < 0;
    }
    if (!bad) {
        pthread_mutex_lock(&s->lock);
        struct session_waiting *was = s->status.waiting;
        size_t nwas = s->status.nwaiting;
        s->status.waiting = list;
        s->status.nwaiting = p.n;
        pthread_mutex_unlock(&s->lock);
        session_waiting_free(was, nwas);
    } else {
        session_waiting_free(list, p.n);
    }
    pending_free(&p);
}

void numbers_open(struct session *s, struct targets *t)
{
    struct err said = {0};
    struct pending p = {0};
    cleanup(manifest_freep) struct manifest *held = NULL;
    bool moved_on = false;
    if (targets_lock(t, false, NULL) < 0)
        return; /* another process restores, and will see to it */
    pending_tidy(t, &said);
    if (said.text[0]) {
        session_say(s, "%s", said.text);
        if (!session_store_in_use(s))
            targets_remove_homes(t);
    }
    if (pending_list(t, &p, NULL) == 0 && (p.n || record_unsettled(s->record)) &&
        record_look(s->record, t, &held, &moved_on, NULL) == 0)
        numbers_tell(s, t, held);
    pending_free(&p);
    targets_unlock(t);
}

int session_waiting(struct session *s, struct session_waiting **out, size_t *n)
{
    int ret = 0;
    pthread_mutex_lock(&s->lock);
    size_t count = s->status.nwaiting;
    struct session_waiting *list = calloc(count + 1, sizeof(*list));
    for (size_t i = 0; list && ret == 0 && i < count; i++) {
        const struct session_waiting *w = &s->status.waiting[i];
        const struct manifest m = {.number = w->number, .id = w->id, .parent = w->parent};
        ret = copy_waiting(&(struct number){.name = w->name, .m = (struct manifest *)&m},
                           w->waits_for, &list[i]);
    }
    pthread_mutex_unlock(&s->lock);
    if (!list || ret < 0) {
        session_waiting_free(list, count);
        return -ENOMEM;
    }
    *out = list;
    *n = count;
    return 0;
}

/* As the owner. */
static int forget(struct session *s, struct err *e)
{
    struct pending p;
    cleanup(targets_freep) struct targets *t = NULL;
    aside_clear(s);
    int ret = targets_open(&s->paths, s->options.uid, s->options.gid, &t, e);
    if (ret < 0 || (ret = targets_lock(t, false, e)) < 0 || (ret = pending_list(t, &p, e)) < 0)
        return ret;
    for (size_t i = 0; ret == 0 && i < p.n; i++) {
        ret = pending_remove(t, p.at[i]);
        if (ret < 0)
            err_sys(e, ret, "%s, which waits, cannot be removed", p.at[i]->name);
        else
            session_say(s, "removed %s, which was waiting, unrestored", p.at[i]->name);
    }
    pending_free(&p);
    if (!session_store_in_use(s))
        targets_remove_homes(t);
    numbers_tell(s, t, NULL);
    return ret;
}

int session_forget_waiting(struct session *s, struct err *e)
{
    if (!session_take(s, &s->owner))
        return err_set(e, -EAGAIN, "another restore is under way");
    int ret = forget(s, e);
    session_leave(s, &s->owner);
    return ret;
}

void session_expire(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    bool mine = s->aside.n && !s->owner && !s->probing;
    if (mine)
        s->owner = &s->owner;
    pthread_mutex_unlock(&s->lock);
    if (!mine)
        return;
    aside_expire(s);
    session_leave(s, &s->owner);
}
