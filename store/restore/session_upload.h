/* SPDX-License-Identifier: MIT */
/* What the upload of a full snapshot asks of its session, from first bytes to verdict (for
 * increments: increments.h); others use session.h. An upload is known by its address, which is only
 * compared. Any thread. */
#ifndef INFLUXFS_RESTORE_SESSION_UPLOAD_H
#define INFLUXFS_RESTORE_SESSION_UPLOAD_H

#include "store/base/err.h"
#include "store/restore/restore_request.h"
#include "store/restore/stage.h"
#include "store/snapshot/manifest.h"

struct upload;
struct session;
struct staged_cut;

/* For feed_new: a nameless file on the store's disk, for bytes out of order. */
int session_spool(void *session, struct err *e);

/* NULL: uploads are snapshots. */
const struct translator *session_translator(const struct session *s);

/* A full snapshot begins, of which `asked` (or NULL) is wanted: takes the staging area, waiting as
 * staging_take does, and makes the folders to unpack into. Ended by session_install or
 * session_release. -EAGAIN: another restore is under way; -EBUSY: influxd or another program uses the
 * store; -EEXIST: there is a database of the new name; those of targets_probe and targets_stage. */
int session_claim(struct session *s, const struct upload *u, const char *name,
                  const struct manifest *m, const struct restore_request *asked, struct stage **out,
                  struct err *e);

/* Logs what is restored: the snapshot, what it lacks, and what it changes. */
void session_say_begun(struct session *s, const char *name, const struct manifest *m);

/* Gives it up: removes what is staged, unless the exchange was cut off half way. Does nothing
 * without the staging area. */
void session_release(struct session *s, const struct upload *u);

/* Exchanges the verified snapshot with the store, together with the increments that follow; or puts
 * the part of it that is asked for (or NULL) into the store (compose.h). follows, cut: job.h. Always
 * leaves the staging area. */
int session_install(struct session *s, const struct upload *u, const char *name,
                    const struct restore_request *asked, const char *follows,
                    const struct staged_cut *cut, struct err *e);

#endif
