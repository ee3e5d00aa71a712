/* SPDX-License-Identifier: MIT */
#include "fs/material.h"

#include "store/base/lock.h"

#include <stddef.h>
#include <utlist.h>

void materials_init(struct materials *all, enum life_rule rule,
                    void (*let_go)(void *ctx, void *thing), void *ctx)
{
    *all = (struct materials){
        .lock = PTHREAD_MUTEX_INITIALIZER, .rule = rule, .let_go = let_go, .ctx = ctx};
}

void materials_clear(struct materials *all)
{
    pthread_mutex_destroy(&all->lock);
}

/* Called with the lock. */
static void *material_take(struct materials *all, struct material *m)
{
    if (m->thing)
        DL_DELETE(all->first, m);
    return steal_ptr(&m->thing);
}

static void material_let_go(const struct materials *all, void *thing)
{
    if (thing)
        all->let_go(all->ctx, thing);
}

void material_set(struct materials *all, struct material *m, void *thing)
{
    pthread_mutex_lock(&all->lock);
    if (!m->life.open) {
        void *old = material_take(all, m);
        m->thing = thing;
        DL_APPEND(all->first, m);
        thing = old;
    }
    lifetime_use(&m->life);
    pthread_mutex_unlock(&all->lock);
    material_let_go(all, thing);
}

void *material_open(struct materials *all, struct material *m)
{
    lock_scope(&all->lock);
    void *thing = m->thing;
    m->life.open += thing != NULL;
    return thing;
}

void material_close(struct materials *all, struct material *m)
{
    lock_scope(&all->lock);
    lifetime_close(&m->life);
}

void material_drop(struct materials *all, struct material *m)
{
    pthread_mutex_lock(&all->lock);
    void *thing = material_take(all, m);
    pthread_mutex_unlock(&all->lock);
    material_let_go(all, thing);
}

static void materials_drop_old(struct materials *all, bool any)
{
    struct material *m;
    do {
        void *thing = NULL;
        pthread_mutex_lock(&all->lock);
        DL_FOREACH(all->first, m)
        {
            if (m->life.open || (!any && !lifetime_over(&m->life, all->rule)))
                continue;
            thing = material_take(all, m);
            break;
        }
        pthread_mutex_unlock(&all->lock);
        material_let_go(all, thing);
    } while (m);
}

void materials_expire(struct materials *all)
{
    materials_drop_old(all, false);
}

void materials_drop_all(struct materials *all)
{
    materials_drop_old(all, true);
}
