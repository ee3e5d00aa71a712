/* SPDX-License-Identifier: MIT */
/*
 * What a drop asks of its room: the staging folders, the exchange, the log and the status. For
 * drop.c; others use restore.h. `who` is the drop, as a mere token.
 */
#ifndef INFLUXFS_RESTORE_ROOM_H
#define INFLUXFS_RESTORE_ROOM_H

#include "store/restore/pending.h"
#include "store/restore/progress.h"
#include "store/restore/restore.h"
#include "store/restore/stage.h"
#include "store/snapshot/manifest.h"

/* Takes the staging folders for one drop; waits a little for one that has them to end, since the
 * last close of a copy that broke off is heard of after its program has gone. -EAGAIN: it keeps
 * them; -EBUSY: influxd or another
 * program uses the store; and what targets_probe and targets_stage return. */
int room_claim(struct restore *r, const void *who, const char *name, const struct manifest *m,
               struct stage **out, struct err *e);

/* Gives them back, with what is staged removed, unless the exchange was cut off half way. Nothing
 * happens if `who` has not got them. */
void room_release(struct restore *r, const void *who);

/* Exchanges what is staged with the store, and gives the folders back in any case. */
int room_install(struct restore *r, const void *who, const char *name, struct err *e);

/* A place for a number, beside all others: needs no claim. The result is ended by room_discard or
 * room_accept. Errors as room_claim. */
int room_receive(struct restore *r, const char *name, const struct manifest *m,
                 struct incoming **in, struct stage **stage, struct err *e);
void room_discard(struct restore *r, struct incoming *in);

/* Takes over a number that is verified and sealed, and does what is to be done with it: restores
 * it with those that follow, or keeps it until its parent comes (*waits), or neither if the store
 * holds it already. -ESTALE: it does not follow what the store holds; and as room_install. */
int room_accept(struct restore *r, const void *who, struct incoming *in, const char *name,
                bool *waits, struct err *e);

/* A file to keep bytes in that lies with the store but has no name. The caller's; -errno. */
int room_spool(struct restore *r, struct err *e);

void room_say(struct restore *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The owner's own word. */
void room_tell(struct restore *r, enum progress_state state, const char *name, const char *why);

/* Status. Ignored while another drop has the staging folders. */
void room_receiving(struct restore *r, const void *who, const char *name);
void room_member(struct restore *r, const void *who, const char *name, uint64_t size);
void room_progress(struct restore *r, const void *who, uint64_t bytes);
void room_verified(struct restore *r, const void *who, const char *name);
void room_refused(struct restore *r, const void *who, const char *name, const char *why);

/* Ends early, but may go on: to the log and the status, not as an end. And that this was the end
 * after all: to the status. */
void room_pending(struct restore *r, const void *who, const char *name, const char *why);
void room_ended(struct restore *r, const void *who, const char *name, const char *why);

#endif
