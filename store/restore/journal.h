/* SPDX-License-Identifier: MIT */
/*
 * The journal of an exchange: a small text file beside meta that says how far the exchange has
 * come, so that it can be finished or undone after a kill.
 *
 *   influxfs-journal 1
 *   phase prepared|exchange
 *   id SNAPSHOT
 *   replaced discarded      only where what is replaced is not kept (target.h)
 *   meta beside|inside existed|absent PATH
 *   data …
 *   wal …
 *   sum SHA-256 of the lines above
 *
 * It is `META.influxfs-journal`, or `META/.influxfs/journal` where meta's side folders lie inside.
 * It is replaced as a whole and synced, so it is never half there. One that cannot be read is an
 * error, and everything stays as it is.
 */
#ifndef INFLUXFS_RESTORE_JOURNAL_H
#define INFLUXFS_RESTORE_JOURNAL_H

#include "store/base/err.h"
#include "store/restore/target.h"

enum journal_phase {
    JOURNAL_NONE,
    JOURNAL_PREPARED, /* the store's folders are untouched: to be undone */
    JOURNAL_EXCHANGE, /* they may be half exchanged, and are fenced: to be finished */
};

/* Writes it for these targets (their `inside`, `existed` and `discard`), durably. */
int journal_write(const struct targets *t, enum journal_phase phase, const char *id, struct err *e);

/* Reads it. If there is one, the targets' `inside`, `existed` and `discard` become what it says,
 * and the id is written to id. No journal: JOURNAL_NONE. -EBADMSG: it is damaged, or is of
 * other folders. */
int journal_read(struct targets *t, enum journal_phase *phase, char id[129], struct err *e);

/* Removes it, durably, and a newer one that was still being written. */
int journal_remove(const struct targets *t, struct err *e);

/* Removes one that was still being written, where meta lies in this way. */
void journal_remove_unwritten(const struct target *meta);

/* The text of a journal for these targets, the caller's. -ENOMEM. */
int journal_format(const struct targets *t, enum journal_phase phase, const char *id, char **text,
                   size_t *len);

/* Reads such a text, which it changes. The targets change only if it returns 0. -EBADMSG: damaged;
 * -ESTALE: of other folders; -ENOMEM. */
int journal_parse(char *text, struct targets *t, enum journal_phase *phase, char id[129]);

#endif
