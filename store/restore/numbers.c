/* SPDX-License-Identifier: MIT */
/* Numbers in the room: received beside each other, then applied, put aside, or kept until their
 * parent comes. */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/restore/lineage.h"
#include "store/restore/restore_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ASIDE_NS (INT64_C(30) * 1000000000) /* as long as a dropped file stays visible */

int room_receive(struct restore *r, const char *name, const struct manifest *m,
                 struct incoming **in, struct stage **stage, struct err *e)
{
    int fds[TARGETS];
    bool inside[TARGETS];
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = room_check(r, e);
    if (ret < 0 || (ret = room_layout(r, inside, e)) < 0 ||
        (ret = targets_open(&r->paths, r->options.uid, r->options.gid, &t, e)) < 0)
        return ret;
    for (int i = 0; i < TARGETS; i++)
        t->at[i].inside = inside[i];
    room_say(
        r, "receiving %s: number %" PRId64 ", snapshot %s of %s, taken %s, %zu files, %llu bytes",
        name, m->number, m->id, m->host, manifest_time(m), m->nfiles, (unsigned long long)m->bytes);
    if ((ret = incoming_new(t, m, fds, in, e)) < 0)
        return ret;
    pthread_mutex_lock(&r->lock);
    r->aside.receiving++;
    pthread_mutex_unlock(&r->lock);
    if ((ret = stage_new(t, fds, stage)) < 0) {
        targets_close(fds);
        room_discard(r, steal_ptr(in));
        return err_sys(e, ret, "staging");
    }
    stage_unsynced(*stage);
    pthread_mutex_lock(&r->lock);
    if (!r->owner && r->status.name && strcmp(r->status.name, name) == 0)
        progress_manifest(&r->status, m);
    pthread_mutex_unlock(&r->lock);
    return 0;
}

void room_discard(struct restore *r, struct incoming *in)
{
    cleanup(targets_freep) struct targets *t = NULL;
    bool inside = incoming_number(in)->inside;
    incoming_free(in);
    numbers_received(r);
    if (inside && !room_store_in_use(r) &&
        targets_open(&r->paths, r->options.uid, r->options.gid, &t, NULL) == 0)
        targets_remove_homes(t);
}

void numbers_received(struct restore *r)
{
    pthread_mutex_lock(&r->lock);
    r->aside.receiving--;
    r->aside.used_ns = io_mono_ns();
    pthread_mutex_unlock(&r->lock);
}

void aside_clear(struct restore *r)
{
    pthread_mutex_lock(&r->lock);
    struct aside a = r->aside;
    r->aside = (struct aside){.receiving = a.receiving};
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < a.n; i++)
        incoming_free(a.at[i]);
    free(a.at);
    free(a.old);
}

void aside_expire(struct restore *r)
{
    pthread_mutex_lock(&r->lock);
    bool due = r->aside.n && !r->aside.receiving && !r->options.collect &&
               io_mono_ns() - r->aside.used_ns >= ASIDE_NS;
    pthread_mutex_unlock(&r->lock);
    if (due)
        aside_clear(r);
}

int aside_add(struct restore *r, struct incoming *in, bool old)
{
    struct aside *a = &r->aside;
    pthread_mutex_lock(&r->lock);
    struct incoming **at = realloc(a->at, (a->n + 1) * sizeof(*at));
    a->at = at ? at : a->at;
    bool *flags = at ? realloc(a->old, (a->n + 1) * sizeof(*flags)) : NULL;
    a->old = flags ? flags : a->old;
    if (flags) {
        at[a->n] = in;
        flags[a->n++] = old;
        a->used_ns = io_mono_ns();
    }
    pthread_mutex_unlock(&r->lock);
    if (!flags)
        incoming_free(in);
    return flags ? 0 : -ENOMEM;
}

/* Those put aside count if they were of no use by themselves, and this one leads to the first.
 * r->lock is held. */
static bool aside_counts(const struct restore *r, const struct manifest *full)
{
    if (!full)
        return false;
    if (r->options.collect)
        return true;
    for (size_t i = 0; i < r->aside.n; i++)
        if (r->aside.old[i] && strcmp(incoming_number(r->aside.at[i])->m->parent, full->id) == 0)
            return true;
    return false;
}

int numbers_list(struct restore *r, const struct targets *t, const struct manifest *full,
                 const struct number *more, struct candidates *out, struct err *e)
{
    *out = (struct candidates){0};
    int ret = r->options.collect ? 0 : pending_list(t, &out->waiting, e);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&r->lock);
    size_t naside = aside_counts(r, full) ? r->aside.n : 0;
    out->all = calloc(out->waiting.n + naside + 2, sizeof(*out->all));
    if (!out->all) {
        pthread_mutex_unlock(&r->lock);
        return err_sys(e, -ENOMEM, "restore");
    }
    for (size_t i = 0; i < out->waiting.n; i++)
        out->all[out->n++] = out->waiting.at[i];
    for (size_t i = 0; i < naside; i++)
        out->all[out->n++] = incoming_number(r->aside.at[i]);
    pthread_mutex_unlock(&r->lock);
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
static void retire(struct restore *r, const struct targets *t, const struct number *n)
{
    struct incoming *in = NULL;
    if (r->aside.n && incoming_take(t, n, &in) == 0)
        aside_add(r, in, false);
    else
        pending_remove(t, n);
}

void numbers_drop_unfit(struct restore *r, const struct job *j, const struct candidates *c)
{
    for (size_t i = 0; i < c->waiting.n; i++) {
        if (c->waiting.at[i] != j->unfit)
            continue;
        room_say(r, "removed %s, which was waiting: %s", j->unfit->name, j->why.text);
        pending_remove(j->t, j->unfit);
    }
}

void numbers_settle(struct restore *r, const struct job *j, struct candidates *c,
                    const struct number *more)
{
    for (size_t i = 0; i < j->nrun; i++)
        if (j->run[i] != more)
            room_say(r, "restored %s: number %" PRId64 ", which came before what it builds on",
                     j->run[i]->name, j->run[i]->m->number);
    for (size_t i = 0; i < c->waiting.n; i++) {
        const struct number *n = c->waiting.at[i];
        if (job_has(j, n)) {
            retire(r, j->t, n);
        } else if (lineage_stale(n->m, j->state)) {
            room_say(r, "%s: number %" PRId64 " is superseded by what was restored", n->name,
                     n->m->number);
            pending_remove(j->t, n);
        }
    }
    numbers_drop_unfit(r, j, c);
    numbers_tell(r, j->t, j->state);
}

static int copy_waiting(const struct number *n, const char *words, struct restore_waiting *out)
{
    out->number = n->m->number;
    out->name = strdup(n->name);
    out->id = strdup(n->m->id);
    out->parent = strdup(n->m->parent);
    out->waits_for = strdup(words);
    return out->name && out->id && out->parent && out->waits_for ? 0 : -ENOMEM;
}

void restore_waiting_free(struct restore_waiting *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++) {
        free(list[i].name);
        free(list[i].id);
        free(list[i].parent);
        free(list[i].waits_for);
    }
    free(list);
}

void numbers_tell_one(struct restore *r, const struct number *n, const char *waits_for)
{
    struct restore_waiting one = {0};
    struct restore_waiting *more = NULL;
    bool bad = copy_waiting(n, waits_for, &one) < 0;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->status.nwaiting; i++)
        bad = bad || strcmp(r->status.waiting[i].id, n->m->id) == 0; /* it is told already */
    if (!bad)
        more = realloc(r->status.waiting, (r->status.nwaiting + 1) * sizeof(*more));
    if (more) {
        r->status.waiting = more;
        more[r->status.nwaiting++] = one;
    }
    pthread_mutex_unlock(&r->lock);
    if (!more) {
        free(one.name);
        free(one.id);
        free(one.parent);
        free(one.waits_for);
    }
}

/* Status is no reason to fail: where memory or the disk fails, it is not told. */
void numbers_tell(struct restore *r, const struct targets *t, const struct manifest *held)
{
    struct pending p;
    if (pending_list(t, &p, NULL) < 0)
        return;
    autofree const struct manifest **all = calloc(p.n + 1, sizeof(*all));
    struct restore_waiting *list = calloc(p.n + 1, sizeof(*list));
    bool bad = !all || !list;
    for (size_t i = 0; !bad && i < p.n; i++)
        all[i] = p.at[i]->m;
    for (size_t i = 0; !bad && i < p.n; i++) {
        struct err words;
        lineage_waits_for(all, p.n, i, held, &words);
        bad = copy_waiting(p.at[i], words.text, &list[i]) < 0;
    }
    if (!bad) {
        pthread_mutex_lock(&r->lock);
        struct restore_waiting *was = r->status.waiting;
        size_t nwas = r->status.nwaiting;
        r->status.waiting = list;
        r->status.nwaiting = p.n;
        pthread_mutex_unlock(&r->lock);
        restore_waiting_free(was, nwas);
    } else {
        restore_waiting_free(list, p.n);
    }
    pending_free(&p);
}

void numbers_open(struct restore *r, struct targets *t)
{
    struct err said = {0};
    struct pending p = {0};
    cleanup(manifest_freep) struct manifest *held = NULL;
    bool moved_on = false;
    if (targets_lock(t, false, NULL) < 0)
        return; /* another process restores, and will see to it */
    pending_tidy(t, &said);
    if (said.text[0]) {
        room_say(r, "%s", said.text);
        if (!room_store_in_use(r))
            targets_remove_homes(t);
    }
    if (pending_list(t, &p, NULL) == 0 && (p.n || record_unsettled(r->record)) &&
        record_look(r->record, t, &held, &moved_on, NULL) == 0)
        numbers_tell(r, t, held);
    pending_free(&p);
    targets_unlock(t);
}

int restore_waiting(struct restore *r, struct restore_waiting **out, size_t *n)
{
    int ret = 0;
    pthread_mutex_lock(&r->lock);
    size_t count = r->status.nwaiting;
    struct restore_waiting *list = calloc(count + 1, sizeof(*list));
    for (size_t i = 0; list && ret == 0 && i < count; i++) {
        const struct restore_waiting *w = &r->status.waiting[i];
        const struct manifest m = {.number = w->number, .id = w->id, .parent = w->parent};
        ret = copy_waiting(&(struct number){.name = w->name, .m = (struct manifest *)&m},
                           w->waits_for, &list[i]);
    }
    pthread_mutex_unlock(&r->lock);
    if (!list || ret < 0) {
        restore_waiting_free(list, count);
        return -ENOMEM;
    }
    *out = list;
    *n = count;
    return 0;
}

/* As the owner. */
static int forget(struct restore *r, struct err *e)
{
    struct pending p;
    cleanup(targets_freep) struct targets *t = NULL;
    aside_clear(r);
    int ret = targets_open(&r->paths, r->options.uid, r->options.gid, &t, e);
    if (ret < 0 || (ret = targets_lock(t, false, e)) < 0 || (ret = pending_list(t, &p, e)) < 0)
        return ret;
    for (size_t i = 0; ret == 0 && i < p.n; i++) {
        ret = pending_remove(t, p.at[i]);
        if (ret < 0)
            err_sys(e, ret, "%s, which waits, cannot be removed", p.at[i]->name);
        else
            room_say(r, "removed %s, which was waiting, unrestored", p.at[i]->name);
    }
    pending_free(&p);
    if (!room_store_in_use(r))
        targets_remove_homes(t);
    numbers_tell(r, t, NULL);
    return ret;
}

int restore_forget_waiting(struct restore *r, struct err *e)
{
    if (!room_take(r, &r->owner))
        return err_set(e, -EAGAIN, "another restore is under way");
    int ret = forget(r, e);
    room_leave(r, &r->owner);
    return ret;
}

void restore_expire(struct restore *r)
{
    pthread_mutex_lock(&r->lock);
    bool mine = r->aside.n && !r->owner && !r->probing;
    if (mine)
        r->owner = &r->owner;
    pthread_mutex_unlock(&r->lock);
    if (!mine)
        return;
    aside_expire(r);
    room_leave(r, &r->owner);
}
