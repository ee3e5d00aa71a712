/* SPDX-License-Identifier: MIT */
/*
 * A part of a staged snapshot, put into what is otherwise the store as it is.
 *
 * The staged snapshot is set aside (SIDE_INCOMING), and staging is made anew: from the store by hard
 * links and copies (mirror.h), from the snapshot by links, and with the store's meta.db, in which
 * metaedit.h has changed what the request (restore_request.h) names and no more. Ids of the
 * snapshot's shards that are in use are changed, in meta.db and as names of folders. In databases
 * that get shards, influxd builds its indexes and series files anew; what it has in others stays.
 *
 * The exchange is that of any restore (install.h), and keeps the store as it was.
 */
#ifndef INFLUXFS_RESTORE_COMPOSE_H
#define INFLUXFS_RESTORE_COMPOSE_H

#include "store/restore/composed.h"
#include "store/restore/restore_request.h"
#include "store/restore/target.h"
#include "store/snapshot/manifest.h"

/* What is asked of this snapshot: *out is a request, for the caller to free, or NULL: it takes the
 * place of the store. q: what was asked, or NULL. A snapshot of a part asks by itself for what it
 * holds, unless there is no store yet. -ENOMEM; -errno where the store cannot be looked at. */
int compose_asked(const struct targets *t, const struct manifest *m,
                  const struct restore_request *q, struct restore_request **out, struct err *e);

/* Whether the new name, if one is asked for, is free, so that nobody waits for a large snapshot in
 * vain; compose_run checks it again. -EEXIST. */
int compose_check_name(const struct targets *t, const struct restore_request *q, struct err *e);

/* Composes it of the store and the verified snapshot in staging, whose manifest is *state; that
 * becomes the list of what came from the snapshot, under its names in the store, and meta.db. Needs a probe and
 * the lock. All is on disk afterwards. Failures leave litter for targets_tidy: -ENOENT: nothing of
 * the kind is in the snapshot (the message says what is); -EEXIST: there is a database of the new
 * name; -EINVAL: the request does not fit the snapshot; -EIO: the store has no meta.db that can be
 * changed; -ENOSPC, … The caller releases *out with composed_clear. */
int compose_run(struct targets *t, const struct restore_request *q, struct manifest *state,
                struct composed *out, struct err *e);

/* What compose_run would do with a snapshot whose meta.db has these bytes and whose manifest is
 * `state`; nothing is made or locked. *then: the bytes of the store's meta.db then, for the caller to
 * free. 1: the snapshot would take the place of the store. */
int compose_preview(const struct store_paths *paths, struct manifest *state, const void *meta,
                    size_t len, const struct restore_request *q, struct composed *out, void **then,
                    size_t *thenlen, struct err *e);

#endif
