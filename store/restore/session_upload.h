/* SPDX-License-Identifier: MIT */
/*
 * What an upload that is a full snapshot asks of its session, from its first bytes to the verdict
 * (one that is an increment: increments.h); others use session.h. An upload says who it is by its
 * address, which is compared and never looked into. Any thread.
 */
#ifndef INFLUXFS_RESTORE_SESSION_UPLOAD_H
#define INFLUXFS_RESTORE_SESSION_UPLOAD_H

#include "store/base/err.h"
#include "store/restore/stage.h"
#include "store/snapshot/manifest.h"

struct upload;
struct session;

/* For feed_new: a file for bytes out of order, on the disk of the store, without a name. */
int session_spool(void *session, struct err *e);

/* A full snapshot begins: takes the staging area, and makes the folders to unpack into. Waits as
 * staging_take does. Ended by session_install or session_release. -EAGAIN: another restore is under
 * way; -EBUSY: influxd or another program uses the store; and of targets_probe, targets_stage. */
int session_claim(struct session *s, const struct upload *u, const char *name,
                  const struct manifest *m, struct stage **out, struct err *e);

/* It is given up: what is staged is removed, unless the exchange was cut off half way. Nothing
 * happens if it has not got the staging area. */
void session_release(struct session *s, const struct upload *u);

/* It is verified: exchanges it with the store, together with the increments that follow. The
 * staging area is left in any case. */
int session_install(struct session *s, const struct upload *u, const char *name, struct err *e);

#endif
