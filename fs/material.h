/* SPDX-License-Identifier: MIT */
/*
 * What nodes are made of, for as long as it is kept (lifetime.h): a node outlives its material,
 * since the kernel remembers nodes long after their last use. Safe in any thread.
 */
#ifndef INFLUXFS_FS_MATERIAL_H
#define INFLUXFS_FS_MATERIAL_H

#include "fs/lifetime.h"

#include <pthread.h>

/* Of one node: a pointer, NULL before it is set and once it is let go. */
struct material {
    void *thing;
    struct lifetime life;
    struct material *prev, *next;
};

struct materials {
    pthread_mutex_t lock;   /* guards the list and all in it */
    struct material *first; /* those that have a thing */
    enum life_rule rule;
    void (*let_go)(void *ctx, void *thing); /* called without the lock */
    void *ctx;
};

void materials_init(struct materials *all, enum life_rule rule,
                    void (*let_go)(void *ctx, void *thing), void *ctx);
void materials_clear(struct materials *all); /* after its nodes */

/* Gives m its thing, which is taken over; one that it has and that is not open is let go. If that
 * is open, it stays, and the new one is let go. Counts as a look-up. */
void material_set(struct materials *all, struct material *m, void *thing);
/* Opens the thing and gives it, to be closed; NULL: it has been let go. */
void *material_open(struct materials *all, struct material *m);
void material_close(struct materials *all, struct material *m);
/* Lets go of the thing of a node that is being freed. */
void material_drop(struct materials *all, struct material *m);

/* Lets go of the things whose time has come, or of all that are not open. */
void materials_expire(struct materials *all);
void materials_drop_all(struct materials *all);

#endif
