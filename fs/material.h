/* SPDX-License-Identifier: MIT */
/* What nodes are made of. A node outlives its material (lifetime.h), since the kernel remembers
 * nodes long after their last use. Safe in any thread. */
#ifndef INFLUXFS_FS_MATERIAL_H
#define INFLUXFS_FS_MATERIAL_H

#include "fs/lifetime.h"

#include <pthread.h>

/* The material of one node: a pointer; NULL before it is set and after its release. */
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

/* Takes over a thing for m, and counts as a look-up. m's present thing is released, unless it is
 * open: then it stays, and the new one is released. */
void material_set(struct materials *all, struct material *m, void *thing);
/* Opens the thing and gives it, to be closed; NULL: it was released. */
void *material_open(struct materials *all, struct material *m);
void material_close(struct materials *all, struct material *m);
/* Releases the thing of a node that is being freed. */
void material_drop(struct materials *all, struct material *m);

/* Releases the things whose time has come, or all that are not open. */
void materials_expire(struct materials *all);
void materials_drop_all(struct materials *all);

#endif
