/* SPDX-License-Identifier: MIT */
#include "store/restore/parked.h"

#include "store/base/array.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define PARKED_NS (30 * SECOND_NS)

struct one {
    struct increment *i;
    bool known;
};

struct parked {
    bool collect;
    pthread_mutex_t lock; /* what follows */
    struct one *at;
    size_t n;
    int64_t used_ns;    /* monotonic */
    unsigned receiving; /* increments that are still being received */
};

int parked_open(bool collect, struct parked **out)
{
    struct parked *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->collect = collect;
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return 0;
}

void parked_close(struct parked *p)
{
    if (!p)
        return;
    parked_clear(p);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int parked_add(struct parked *p, struct increment *i, bool known)
{
    cleanup(increment_freep) struct increment *left = i;
    lock_scope(&p->lock);
    if (!array_grow(&p->at, p->n))
        return -ENOMEM;
    p->at[p->n++] = (struct one){steal_ptr(&left), known};
    p->used_ns = time_mono_ns();
    i->state = INCREMENT_PARKED;
    return 0;
}

bool parked_any(struct parked *p)
{
    lock_scope(&p->lock);
    return p->n > 0;
}

void parked_clear(struct parked *p)
{
    pthread_mutex_lock(&p->lock);
    struct one *at = p->at;
    size_t n = p->n;
    p->at = NULL;
    p->n = 0;
    pthread_mutex_unlock(&p->lock);
    for (size_t k = 0; k < n; k++)
        increment_free(at[k].i);
    free(at);
}

void parked_expire(struct parked *p)
{
    pthread_mutex_lock(&p->lock);
    bool due = !p->receiving && !p->collect && time_mono_ns() - p->used_ns >= PARKED_NS;
    pthread_mutex_unlock(&p->lock);
    if (due)
        parked_clear(p);
}

void parked_receiving(struct parked *p)
{
    lock_scope(&p->lock);
    p->receiving++;
}

void parked_received(struct parked *p)
{
    lock_scope(&p->lock);
    p->receiving--;
    p->used_ns = time_mono_ns();
}

/* With the lock. */
static bool leads_on(const struct parked *p, const struct manifest *full)
{
    for (size_t k = 0; k < p->n; k++)
        if (p->at[k].known && strcmp(p->at[k].i->m->parent, full->id) == 0)
            return true;
    return p->collect;
}

int parked_append(struct parked *p, const struct manifest *full, const struct increment ***list,
                  size_t *n)
{
    lock_scope(&p->lock);
    size_t count = leads_on(p, full) ? p->n : 0;
    for (size_t k = 0; k < count; k++) {
        if (!array_grow(list, *n))
            return -ENOMEM;
        (*list)[(*n)++] = p->at[k].i;
    }
    return 0;
}
