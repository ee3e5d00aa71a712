/* SPDX-License-Identifier: MIT */
/* What becomes of a number that was received whole: the verdict on it. */
#include "store/base/cleanup.h"
#include "store/restore/chain_order.h"
#include "store/restore/session_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* One number and what there is to judge it by; the caller has the staging folders. */
struct trial {
    struct session *s;
    struct incoming *in; /* NULL: none came, only those that wait are looked at */
    const char *name;
    struct job job;
    struct candidates c;
    struct manifest *held;
    bool moved_on;
    bool restored; /* the store was exchanged */
    bool waits;
};

static const struct number *number_of(const struct trial *t)
{
    return t->in ? incoming_number(t->in) : NULL;
}

static int keep(struct trial *t, const char *why, struct err *e)
{
    int ret = incoming_keep(t->in, e);
    if (ret < 0)
        return ret;
    t->waits = true;
    if (ret == 1)
        session_say(t->s, "%s is verified; the same number waits already", t->name);
    else
        session_say(t->s, "%s is number %" PRId64 ", verified, and waits: %s", t->name,
                    number_of(t)->m->number, why);
    return 0;
}

/* It waits for its parent, and is told for which. */
static int keep_waiting(struct trial *t, struct err *e)
{
    const struct number *n = number_of(t);
    struct err words;
    autofree const struct manifest **all = calloc(t->c.n + 1, sizeof(*all));
    if (!all)
        return err_sys(e, -ENOMEM, "restore");
    size_t me = 0;
    for (size_t i = 0; i < t->c.n; i++) {
        all[i] = t->c.all[i]->m;
        me = t->c.all[i] == n ? i : me;
    }
    chain_order_waits_for(all, t->c.n, me, t->held, &words);
    return keep(t, words.text, e);
}

static int judge(struct trial *t, struct err *e)
{
    const struct number *n = number_of(t);
    if (n == t->job.unfit)
        return err_set(e, -EBADMSG, "damaged: %s", t->job.why.text);
    switch (chain_order_judge(n->m, t->held, t->moved_on)) {
    case VERDICT_ALREADY:
        session_say(t->s, "%s: number %" PRId64 " is already restored%s", t->name, n->m->number,
                    t->moved_on ? "; the store has moved on since" : "");
        return aside_add(t->s, steal_ptr(&t->in), true);
    case VERDICT_SUPERSEDED:
        session_say(t->s, "%s: number %" PRId64 " is superseded, number %" PRId64 " was restored",
                    t->name, n->m->number, t->held->number);
        return aside_add(t->s, steal_ptr(&t->in), true);
    case VERDICT_WRONG_PARENT:
        return err_set(e, -ESTALE,
                       "number %" PRId64 " builds on snapshot %s, and the store holds another "
                       "number %" PRId64 ", snapshot %s: they are of two histories; copy the "
                       "base.tar that belongs to it",
                       n->m->number, n->m->parent, t->held->number, t->held->id);
    case VERDICT_MOVED_ON:
        return err_set(e, -ESTALE,
                       "number %" PRId64 " builds on snapshot %s, but the store has moved on since "
                       "that was restored; copy base.tar and the numbers again",
                       n->m->number, n->m->parent);
    default:
        return keep_waiting(t, e);
    }
}

static int apply(struct trial *t, struct err *e)
{
    struct job *j = &t->job;
    const char *name = t->in && job_has(j, number_of(t)) ? t->name : j->run[0]->name;
    session_tell(t->s, PROGRESS_INSTALLING, name, NULL);
    session_say(t->s, "installing %s, on top of snapshot %s", name, t->held->id);
    int ret = job_run(j, t->held, e);
    if (ret < 0)
        return ret;
    t->restored = true;
    manifest_free(t->held);
    t->held = NULL;
    t->moved_on = false;
    numbers_settle(t->s, j, &t->c, number_of(t));
    ret = manifest_copy(j->state, &t->held);
    return ret < 0 ? err_sys(e, ret, "restore") : 0;
}

static int finish(struct trial *t, struct err *e)
{
    if (!job_has(&t->job, number_of(t)))
        return judge(t, e);
    return t->s->aside.n ? aside_add(t->s, steal_ptr(&t->in), false) : 0;
}

/* With everything open that is needed. */
static int decide(struct trial *t, struct err *e)
{
    struct job *j = &t->job;
    int ret = record_look(t->s->record, j->t, &t->held, &t->moved_on, e);
    if (ret == 0)
        ret = numbers_list(t->s, j->t, NULL, number_of(t), &t->c, e);
    j->all = t->c.all;
    j->n = t->c.n;
    if (ret == 0 && t->held && !t->moved_on)
        ret = job_plan(j, t->held, e);
    if (ret < 0)
        return ret;
    if (j->nrun > 0)
        ret = apply(t, e);
    else
        numbers_drop_unfit(t->s, j, &t->c);
    if (ret == 0 && t->in)
        ret = finish(t, e);
    if (ret == 0 && (t->waits || !t->restored))
        numbers_tell(t->s, j->t, t->held);
    return ret;
}

/* The owner's whole work. */
static int try(struct trial *t, struct err *e)
{
    struct job *j = &t->job;
    *j = session_job(t->s);
    int ret = session_prepare(t->s, &j->t, e);
    if (ret < 0) {
        incoming_free(steal_ptr(&t->in));
        return ret;
    }
    ret = decide(t, e);
    incoming_free(steal_ptr(&t->in));
    if (!j->t->half && !session_store_in_use(t->s))
        targets_remove_homes(j->t);
    session_job_done(t->s, j, t->restored ? 0 : ret < 0 ? ret : 1);
    job_clear(j);
    numbers_free(&t->c);
    manifest_free(t->held);
    return ret;
}

static void tell_end(struct trial *t, int ret, const struct err *e)
{
    const bool refused = ret < 0;
    session_tell(t->s,
                 refused    ? PROGRESS_REFUSED
                 : t->waits ? PROGRESS_PENDING
                            : PROGRESS_RESTORED,
                 t->name, refused ? e->text : NULL);
    if (refused)
        session_say(t->s, "refused %s: %s", t->name, e->text);
    else if (t->restored)
        session_say_restored(t->s, t->name);
    if (t->restored && t->s->options.restored)
        t->s->options.restored(t->s->options.arg);
}

/* Another has the staging folders, and will look after it. */
static int keep_for_later(struct trial *t, struct err *e)
{
    static const char why[] = "another restore is under way";
    int ret = keep(t, why, e);
    if (ret == 0)
        numbers_tell_one(t->s, number_of(t), why);
    incoming_free(steal_ptr(&t->in));
    if (ret < 0) {
        session_say(t->s, "refused %s: %s", t->name, e->text);
        return ret;
    }
    pthread_mutex_lock(&t->s->lock);
    t->s->owed = true;
    pthread_mutex_unlock(&t->s->lock);
    numbers_pick_up(t->s);
    return 0;
}

static int accept(struct trial *t, const void *who, struct err *e)
{
    if (!session_take(t->s, who))
        return keep_for_later(t, e);
    int ret = try(t, e);
    tell_end(t, ret, e);
    session_leave(t->s, who);
    return ret;
}

int session_accept(struct session *s, const void *who, struct incoming *in, const char *name,
                   bool *waits, struct err *e)
{
    struct err own = {0};
    struct trial t = {.s = s, .in = in, .name = name, .waits = s->options.collect};
    int ret = incoming_name(in, name);
    if (ret == 0 && s->options.collect) {
        session_say(s, "%s is number %" PRId64 ", verified, and waits for the full snapshot", name,
                    incoming_number(in)->m->number);
        ret = aside_add(s, in, true);
    } else if (ret == 0) {
        ret = accept(&t, who, &own);
    } else {
        incoming_free(in);
    }
    numbers_received(s);
    *waits = ret == 0 && t.waits;
    return ret < 0 ? err_set(e, ret, "%s", own.text[0] ? own.text : strerror(-ret)) : 0;
}

/* Becomes the owner if there is something to do. */
static bool take_owed(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->owed && !s->owner && s->probing)
        pthread_cond_wait(&s->freed, &s->lock);
    bool mine = s->owed && !s->owner;
    if (mine) {
        s->owed = false;
        s->owner = s;
    }
    pthread_mutex_unlock(&s->lock);
    return mine;
}

void numbers_pick_up(struct session *s)
{
    while (take_owed(s)) {
        struct err why = {0};
        struct trial t = {.s = s, .name = "numbers that were waiting"};
        int ret = try(&t, &why);
        if (ret < 0 || t.restored)
            tell_end(&t, ret, &why);
        pthread_mutex_lock(&s->lock);
        if (!s->half)
            s->owner = NULL;
        pthread_cond_broadcast(&s->freed);
        pthread_mutex_unlock(&s->lock);
    }
}
