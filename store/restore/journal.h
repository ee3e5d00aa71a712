/* SPDX-License-Identifier: MIT */
/*
 * The journal of an exchange: a small text file beside meta that says how far the exchange is, so
 * that it can be finished or undone after a kill.
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
 * It is replaced as a whole and synced, so it is never half there. If it is unreadable, that is an
 * error, and nothing changes.
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

/* Reads the journal, if there is one, into id and the targets' `inside`, `existed` and `discard`;
 * else JOURNAL_NONE. -EBADMSG: it is damaged, or is of other folders. */
int journal_read(struct targets *t, enum journal_phase *phase, char id[129], struct err *e);

/* Removes it, durably, and an unfinished newer one. */
int journal_remove(const struct targets *t, struct err *e);

/* Removes an unfinished one, where meta lies in this way. */
void journal_remove_unwritten(const struct target *meta);

/* The text of a journal for these targets; the caller frees it. -ENOMEM. */
int journal_format(const struct targets *t, enum journal_phase phase, const char *id, char **text,
                   size_t *len);

/* Parses such a text, which it changes. The targets change only on success. -EBADMSG: damaged;
 * -ESTALE: of other folders; -ENOMEM. */
int journal_parse(char *text, struct targets *t, enum journal_phase *phase, char id[129]);

#endif
