/* SPDX-License-Identifier: MIT */
/*
 * Numbers (incremental snapshots) on disk: those being received, and verified ones that wait.
 *
 *   DATA.pending/SLOT/{meta,data,wal}/…             as they were unpacked
 *   DATA.pending/SLOT/about                         as what it was dropped, its folders' attributes
 *   DATA.pending/SLOT/manifest                      its manifest, written last
 *
 * or DATA/.influxfs/pending/data/SLOT/… where data's side folders lie inside (target.h). SLOT is
 * made of the snapshot's id, so none is there twice; with the ending `.new` it is one that is being
 * received, or put aside, by a process that holds flock(2) on it, and else litter.
 *
 * A struct incoming is used by one thread at a time; the functions on the whole may be called by
 * any thread or process at any time.
 */
#ifndef INFLUXFS_RESTORE_PENDING_H
#define INFLUXFS_RESTORE_PENDING_H

#include "store/base/err.h"
#include "store/restore/stage.h"
#include "store/restore/target.h"
#include "store/snapshot/manifest.h"

struct number {
    char *slot;
    bool inside; /* which of the two places */
    char *name;  /* as it was dropped */
    struct manifest *m;
    struct stage_folder *folders; /* its folder members; their names are the number's */
    size_t nfolders;
};

struct incoming;

/* Makes a place for a number, and opens its three folders: the caller's. What is staged there need
 * not be synced. The manifest is copied. -ENOSPC, … */
int incoming_new(struct targets *t, const struct manifest *m, int fds[TARGETS],
                 struct incoming **out, struct err *e);

/* What was staged is all of it: remembers its folders. */
int incoming_seal(struct incoming *in, const struct stage *s, struct err *e);

/* The number, as long as the incoming. */
const struct number *incoming_number(const struct incoming *in);

/* As what it was dropped, from now on. */
int incoming_name(struct incoming *in, const char *name);

/* Makes it one that waits: all of it on disk, and no longer removed by incoming_free. Needs a name.
 * 1: the same waits already. */
int incoming_keep(struct incoming *in, struct err *e);

/* The way back: one that waits becomes one that is gone with this process. */
int incoming_take(const struct targets *t, const struct number *n, struct incoming **out);

/* Removes it, unless it was kept. NULL is allowed. */
void incoming_free(struct incoming *in);
static inline void incoming_freep(struct incoming **in)
{
    incoming_free(*in);
}

struct pending {
    struct number **at; /* by number */
    size_t n;
};

/* Those that wait. What cannot be read is left out. The caller frees it. */
int pending_list(const struct targets *t, struct pending *out, struct err *e);
void pending_free(struct pending *p);

/* Opens the three folders of a number: the caller's. */
int pending_open(const struct targets *t, const struct number *n, int fds[TARGETS], struct err *e);

int pending_remove(const struct targets *t, const struct number *n);

/* Removes what nobody receives any more and what cannot be read, and the place itself if it is
 * empty. In *said, what was removed; empty otherwise. */
void pending_tidy(const struct targets *t, struct err *said);

#endif
