/* SPDX-License-Identifier: MIT */
/* The inside of an upload, for upload.c (the writers' side) and upload_work.c (its thread); others
 * use upload.h. */
#ifndef INFLUXFS_RESTORE_UPLOAD_IMPL_H
#define INFLUXFS_RESTORE_UPLOAD_IMPL_H

#include "store/restore/account.h"
#include "store/restore/feed.h"
#include "store/restore/increments.h"
#include "store/restore/session_upload.h"
#include "store/restore/upload.h"
#include "store/restore/wanted.h"

#include <pthread.h>

/*
 *   EMPTY -> RECEIVING -> VERIFIED -> INSTALLING -> RESTORED
 *       \____________\___________________________\-> REFUSED
 *
 * and from each back to EMPTY, when it is started over.
 */
enum upload_state {
    UPLOAD_EMPTY,      /* no thread */
    UPLOAD_RECEIVING,  /* the thread unpacks */
    UPLOAD_VERIFIED,   /* all is staged; the thread has ended */
    UPLOAD_INSTALLING, /* another thread exchanges it with the store, or removes what is staged */
    UPLOAD_RESTORED,
    UPLOAD_REFUSED, /* for the reason in `code` and `why`; nothing of it is staged any more */
};

struct upload {
    struct session *session;
    struct account *account; /* of the session */
    pthread_mutex_t lock;    /* guards all below */
    pthread_cond_t changed;  /* signalled when anything below changes */
    struct feed *feed;

    char *name;
    struct restore_request *asked; /* or NULL; never changes */
    char *follows;                 /* or NULL; set before the first byte */
    enum upload_state state;
    bool cancelled; /* a writer has ended it: it will be REFUSED */
    bool told;      /* its thread has logged why it ends: it will be REFUSED */
    int code;       /* of REFUSED, or soon to be */
    struct err why; /* the message for code, or else for incomplete */
    int incomplete; /* what the last flush returned, if nothing was written since; else 0 */
    bool killed;    /* a writer was killed, and nothing was written since */
    bool waits;     /* RESTORED means: verified, and waits for its parent */
    unsigned writers;
    unsigned attempt; /* the number of restarts */
    unsigned users;   /* calls that may be waiting */

    pthread_t thread;
    bool joinable;
    struct stage *stage;         /* the thread's while that runs, */
    struct increment *increment; /* as is this, if it is one, */
    struct wanted *wanted;       /* and this: what of it is staged */
    char *target;                /* the name to install it under, for the thread that does */
};

/* u->lock is held in all that follows. */

/* Whether it takes nothing more, for the reason in `code` and `why`. */
static inline bool upload_dead(const struct upload *u)
{
    return u->cancelled || u->state == UPLOAD_REFUSED;
}

/* From EMPTY to RECEIVING: starts the thread that unpacks. Else does nothing. */
int upload_start(struct upload *u, struct err *e);

/* From VERIFIED to INSTALLING: a thread exchanges what is staged with the store, as u->target, or
 * removes it. -errno: the thread could not start, and nothing has changed. */
int upload_exchange(struct upload *u);
int upload_discard(struct upload *u);

/* Joins a thread that, as the state says, has ended: it only has to return. */
void upload_reap(struct upload *u);

#endif
