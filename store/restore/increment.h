/* SPDX-License-Identifier: MIT */
/*
 * An increment on disk: a snapshot of what has changed since its parent (a "number" to users).
 * Increments arrive in any order. Each is unpacked into a slot, and applied after its parent.
 *
 *          its first bytes have come
 *                     │
 *                     ▼    it ends early, is damaged, or is of another history
 *                 INCOMING ─────────────────────────────────────────────────▶ gone
 *                     │
 *                     │ verified; and it is put before the store (increment_accept.h):
 *       ┌─────────────┼───────────────────┬──────────────────────┐
 *   the store holds   it follows          its parent             another has
 *   it or a later     what the store      is not here            the staging area
 *   one, or all are   holds               │                      │
 *   collected         │                   ▼                      ▼
 *       │             │   its parent   PENDING ◀──────────────  OWED
 *       │             │◀─ is restored ────┤    when that leaves, it is put before the store
 *       │             ▼                   └─ superseded, or does not fit ───▶ gone
 *       │         restored ─────────────────────────────────────────────────▶ gone
 *       ▼             │ if others are parked, so that it can be had again with them
 *    PARKED ◀─────────┘
 *       ├─ a full snapshot comes that leads to it: it is restored with that ─▶ gone
 *       └─ 30 seconds after the last of a copy, or with the session ────────▶ gone
 *
 * On disk an increment is
 *
 *   DATA.pending/SLOT/{meta,data,wal}/…             what was unpacked
 *   DATA.pending/SLOT/about                         its name, and its folders' attributes
 *   DATA.pending/SLOT/manifest                      its manifest, written last
 *
 * or DATA/.influxfs/pending/data/SLOT/… where data's side folders lie inside (target.h). SLOT comes
 * from the snapshot's id, so each is there once. With the ending `.new` it is INCOMING or PARKED: a
 * process holds flock(2) on it, and without that process it is litter. Without the ending it is
 * PENDING or OWED, and outlives the process.
 *
 * One thread at a time uses a struct increment; any threads and processes may use the slots.
 */
#ifndef INFLUXFS_RESTORE_INCREMENT_H
#define INFLUXFS_RESTORE_INCREMENT_H

#include "store/base/err.h"
#include "store/restore/stage.h"
#include "store/restore/target.h"
#include "store/snapshot/manifest.h"

enum increment_state { INCREMENT_INCOMING, INCREMENT_PARKED, INCREMENT_PENDING, INCREMENT_OWED };

struct increment {
    enum increment_state state;
    char *name; /* under which it was uploaded; NULL before increment_name */
    struct manifest *m;
    struct stage_folder *folders; /* its folder members; their names are the increment's */
    size_t nfolders;

    /* Where it is, for increment.c. */
    char *slot;
    bool inside;        /* which of the two places */
    struct target data; /* INCOMING, PARKED: a copy with its own parent and name */
    int fd;             /* INCOMING, PARKED: the slot, locked; else -1 */
};

/* Makes a slot, and in it a stage that leaves syncing to increment_keep. Copies the manifest.
 * -ENOSPC, … */
int increment_new(struct targets *t, const struct manifest *m, struct increment **out,
                  struct stage **stage, struct err *e);

/* Marks it complete, and remembers the staged folders. */
int increment_seal(struct increment *i, const struct stage *s, struct err *e);

/* Sets the name shown; control bytes become '?'. -ENOMEM. */
int increment_name(struct increment *i, const char *name);

/* Makes it PENDING or OWED: all is on disk, and outlives increment_free. Needs a name. 1: the same
 * increment waits already, and this one is unchanged. */
int increment_keep(struct increment *i, enum increment_state as, struct err *e);

/* Takes back one that waits: its slot moves to *out, which is PARKED. */
int increment_park(const struct targets *t, const struct increment *waiting,
                   struct increment **out);

/* Frees it, and removes its slot unless it waits. NULL is allowed. */
void increment_free(struct increment *i);
static inline void increment_freep(struct increment **i)
{
    increment_free(*i);
}

/* Opens the three folders of a slot, for the caller. */
int increment_open(const struct targets *t, const struct increment *i, int fds[TARGETS],
                   struct err *e);

/* Removes the slot of an increment that waits. */
int increment_remove(const struct targets *t, const struct increment *waiting);

/* All zeros: none. */
struct increment_list {
    struct increment **at; /* by number */
    size_t n;
};

/* Those that wait (as PENDING), without the unreadable. The caller frees the list. */
int increment_list(const struct targets *t, struct increment_list *out, struct err *e);
void increment_list_free(struct increment_list *list);

/* Removes slots that are unreadable or that no process receives into, and their folder if it is
 * empty. *said: a message of what was removed; else empty. */
void increment_tidy(const struct targets *t, struct err *said);

#endif
