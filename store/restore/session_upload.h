/* SPDX-License-Identifier: MIT */
/*
 * What a drop asks of its session: the staging folders, the exchange, the log and the status. For
 * drop.c; others use session.h. `who` is the drop, as a mere token.
 */
#ifndef INFLUXFS_RESTORE_SESSION_UPLOAD_H
#define INFLUXFS_RESTORE_SESSION_UPLOAD_H

#include "store/restore/pending.h"
#include "store/restore/progress.h"
#include "store/restore/session.h"
#include "store/restore/stage.h"
#include "store/snapshot/manifest.h"

/* Takes the staging folders for one drop; waits a little for one that has them to end, since the
 * last close of a copy that broke off is heard of after its program has gone. -EAGAIN: it keeps
 * them; -EBUSY: influxd or another
 * program uses the store; and what targets_probe and targets_stage return. */
int session_claim(struct session *s, const void *who, const char *name, const struct manifest *m,
                  struct stage **out, struct err *e);

/* Gives them back, with what is staged removed, unless the exchange was cut off half way. Nothing
 * happens if `who` has not got them. */
void session_release(struct session *s, const void *who);

/* Exchanges what is staged with the store, and gives the folders back in any case. */
int session_install(struct session *s, const void *who, const char *name, struct err *e);

/* A place for a number, beside all others: needs no claim. The result is ended by session_discard
 * or session_accept. Errors as session_claim. */
int session_receive(struct session *s, const char *name, const struct manifest *m,
                    struct incoming **in, struct stage **stage, struct err *e);
void session_discard(struct session *s, struct incoming *in);

/* Takes over a number that is verified and sealed, and does what is to be done with it: restores
 * it with those that follow, or keeps it until its parent comes (*waits), or neither if the store
 * holds it already. -ESTALE: it does not follow what the store holds; and as session_install. */
int session_accept(struct session *s, const void *who, struct incoming *in, const char *name,
                   bool *waits, struct err *e);

/* A file to keep bytes in that lies with the store but has no name. The caller's; -errno. */
int session_spool(struct session *s, struct err *e);

void session_say(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The owner's own word. */
void session_tell(struct session *s, enum progress_state state, const char *name, const char *why);

/* Status. Ignored while another drop has the staging folders. */
void session_receiving(struct session *s, const void *who, const char *name);
void session_member(struct session *s, const void *who, const char *name, uint64_t size);
void session_progress(struct session *s, const void *who, uint64_t bytes);
void session_verified(struct session *s, const void *who, const char *name);
void session_refused(struct session *s, const void *who, const char *name, const char *why);

/* Ends early, but may go on: to the log and the status, not as an end. And that this was the end
 * after all: to the status. */
void session_pending(struct session *s, const void *who, const char *name, const char *why);
void session_ended(struct session *s, const void *who, const char *name, const char *why);

#endif
