/* SPDX-License-Identifier: MIT */
/*
 * An increment on disk: a snapshot of what has changed since its parent (a "number" to users).
 * Increments arrive in any order; each is unpacked into a slot of its own, and applied once what it
 * builds on is there.
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
 * or DATA/.influxfs/pending/data/SLOT/… where data's side folders lie inside (target.h). SLOT is
 * made of the snapshot's id, so none is there twice. With the ending `.new` it is INCOMING or
 * PARKED, of a process that holds flock(2) on it, and litter when that is gone; without, it is
 * PENDING or OWED, and outlives the process.
 *
 * A struct increment is used by one thread at a time; the slots may be used by any number of
 * threads and processes at any time.
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

/* Makes a slot, and a stage in it, which leaves syncing to increment_keep. The manifest is copied.
 * -ENOSPC, … */
int increment_new(struct targets *t, const struct manifest *m, struct increment **out,
                  struct stage **stage, struct err *e);

/* Marks it complete and remembers the folders that were staged. */
int increment_seal(struct increment *i, const struct stage *s, struct err *e);

/* Sets the name it is shown under; control bytes become '?'. -ENOMEM. */
int increment_name(struct increment *i, const char *name);

/* Makes it PENDING or OWED: everything is on disk, and stays there when it is freed. Needs a name.
 * 1: the same increment waits already, and this one remains as it was. */
int increment_keep(struct increment *i, enum increment_state as, struct err *e);

/* Takes back one that waits: *out, which is PARKED, has its slot from now on. */
int increment_park(const struct targets *t, const struct increment *waiting,
                   struct increment **out);

/* Frees the memory, and removes the slot of one that does not wait. NULL is allowed. */
void increment_free(struct increment *i);
static inline void increment_freep(struct increment **i)
{
    increment_free(*i);
}

/* Opens the three folders of a slot: the caller's. */
int increment_open(const struct targets *t, const struct increment *i, int fds[TARGETS],
                   struct err *e);

/* Removes the slot of one that waits. */
int increment_remove(const struct targets *t, const struct increment *waiting);

/* All zeros: none. */
struct increment_list {
    struct increment **at; /* by number */
    size_t n;
};

/* Those that wait (as PENDING). What cannot be read is left out. The caller frees the list. */
int increment_list(const struct targets *t, struct increment_list *out, struct err *e);
void increment_list_free(struct increment_list *list);

/* Removes slots that no process receives into any more, those that cannot be read, and the folder
 * that holds them if it is empty. *said: a message of what was removed; else empty. */
void increment_tidy(const struct targets *t, struct err *said);

#endif
