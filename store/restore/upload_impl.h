/* SPDX-License-Identifier: MIT */
/* The inside of an upload, for upload.c (its life), upload_take.c (its bytes) and
 * upload_work.c (its threads); others use upload.h. */
#ifndef INFLUXFS_RESTORE_UPLOAD_IMPL_H
#define INFLUXFS_RESTORE_UPLOAD_IMPL_H

#include "store/restore/ring.h"
#include "store/restore/session_upload.h"
#include "store/restore/spool.h"
#include "store/restore/upload.h"

#include <pthread.h>

enum state {
    EMPTY,      /* no thread */
    RECEIVING,  /* the thread unpacks */
    VERIFIED,   /* it has ended well: all is staged */
    INSTALLING, /* somebody exchanges it with the store, or gives up what is staged */
    RESTORED,
    REFUSED, /* for the reason in `code` and `why`; nothing of it is staged any more */
};

struct upload {
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

/* u->lock is held in all that follows; what may wait unlocks it meanwhile. */

/* Nothing more is taken: upload_refusal says why. */
static inline bool upload_dead(const struct upload *u)
{
    return u->cancelled || u->state == REFUSED;
}
int upload_refusal(const struct upload *u, struct err *e);

/* Starts the thread that unpacks, if that is still to be done. */
int upload_start(struct upload *u, struct err *e);

/* From VERIFIED to INSTALLING, and on by a thread: what is staged is exchanged with the store,
 * under the name u->target, or removed. -errno: no thread, and all is as it was. */
int upload_exchange(struct upload *u);
int upload_give_back(struct upload *u);

/* Joins a thread that the state says has ended: it only has to return. */
void upload_reap(struct upload *u);

/* Waits for a change. -EINTR: `who`, which may be NULL, does not want to wait any longer. */
int upload_wait(struct upload *u, const struct tarball_reader *who);

/* Ends what is under way, for this reason, and what was staged is gone when it returns 0: the upload
 * is REFUSED, or RESTORED, or somebody else has already started it over. Waits; -EINTR: it ends by
 * itself, unless an exchange had begun, which goes on. */
int upload_end(struct upload *u, int code, const char *why, const struct tarball_reader *who);

/* No more will come: whatever is still missing is a hole. Waits; -EINTR. */
int upload_feed_holes(struct upload *u, const struct tarball_reader *who, struct err *e);

#endif
