/* SPDX-License-Identifier: MIT */
/* The inside of a drop, for drop.c (its life), drop_take.c (its bytes) and
 * drop_work.c (its threads); others use drop.h. */
#ifndef INFLUXFS_RESTORE_DROP_IMPL_H
#define INFLUXFS_RESTORE_DROP_IMPL_H

#include "store/restore/drop.h"
#include "store/restore/ring.h"
#include "store/restore/session_upload.h"
#include "store/restore/spool.h"

#include <pthread.h>

enum state {
    EMPTY,      /* no thread */
    RECEIVING,  /* the thread unpacks */
    VERIFIED,   /* it has ended well: all is staged */
    INSTALLING, /* somebody exchanges it with the store, or gives up what is staged */
    RESTORED,
    REFUSED, /* for the reason in `code` and `why`; nothing of it is staged any more */
};

struct drop {
    struct session *session;
    pthread_mutex_t lock;   /* guards all below */
    pthread_cond_t changed; /* anything below that somebody may wait for */

    char *name;
    enum state state;
    bool cancelled; /* it is about to be REFUSED, by the writers' side */
    int code;       /* of REFUSED, or soon to be */
    struct err why; /* the words for it, or those of the last flush that found it incomplete, */
    int incomplete; /* which returned this, and nothing was written since; else 0 */
    unsigned writers;
    unsigned attempt; /* how often it was started over */
    bool joinable;
    pthread_t thread;
    struct stage *stage; /* the thread's while it runs, */
    struct incoming *in; /* as is this, of a number */
    char *target;        /* the name to install it under, for the thread that does */
    bool killed;         /* a writer was, and nothing was written since */
    bool waits;          /* RESTORED, but for a number that waits for its parent */

    uint64_t size; /* as stat shows it */
    uint64_t fed;  /* bytes below this went to the ring, or are about to */
    bool feeding;  /* somebody is putting bytes in, in order */
    struct spool spool;
    struct ring ring;

    bool starving; /* the unpacker waits for more, */
    int if_ended;  /* and this would be its verdict */
    bool eof;      /* no more will come */
    int users;     /* calls that may be waiting */
};

/* d->lock is held in all that follows; what may wait unlocks it meanwhile. */

/* Nothing more is taken: drop_refusal says why. */
static inline bool drop_dead(const struct drop *d)
{
    return d->cancelled || d->state == REFUSED;
}
int drop_refusal(const struct drop *d, struct err *e);

/* Starts the thread that unpacks, if that is still to be done. */
int drop_start(struct drop *d, struct err *e);

/* From VERIFIED to INSTALLING, and on by a thread: what is staged is exchanged with the store,
 * under the name d->target, or removed. -errno: no thread, and all is as it was. */
int drop_exchange(struct drop *d);
int drop_give_back(struct drop *d);

/* Joins a thread that the state says has ended: it only has to return. */
void drop_reap(struct drop *d);

/* Waits for a change. -EINTR: `who`, which may be NULL, does not want to wait any longer. */
int drop_wait(struct drop *d, const struct tarball_reader *who);

/* Ends what is under way, for this reason, and what was staged is gone when it returns 0: the drop
 * is REFUSED, or RESTORED, or somebody else has already started it over. Waits; -EINTR: it ends by
 * itself, unless an exchange had begun, which goes on. */
int drop_end(struct drop *d, int code, const char *why, const struct tarball_reader *who);

/* No more will come: whatever is still missing is a hole. Waits; -EINTR. */
int drop_feed_holes(struct drop *d, const struct tarball_reader *who, struct err *e);

#endif
