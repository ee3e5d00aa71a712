/* SPDX-License-Identifier: MIT */
/*
 * The cuts of one store: states of it that are retained on disk. This is the main interface of
 * store/chain.
 *
 * The first cut makes the base; later ones are numbered 0, 1, 2, … Folding merges the oldest
 * numbers into the base, which then stands for the last of them. On disk, below the state folder:
 *
 *   cuts/base          the manifest file of the base (cutlist.h): the whole store
 *   cuts/NUMBER        the manifest file of a number: its changes since the cut before
 *   cuts/files/SERIAL/SEQ  the retained files (pool.h)
 *   cuts/leases/SERIAL flock(2)ed by users of that cut's state
 *   cuts/lock          flock(2)ed while cutting or folding
 *
 * These files are the truth, and stay valid through each step of a cut or a fold; the next cut or
 * fold removes the remains of a kill. The catalogue only caches their contents.
 *
 * Several processes may share one state folder. Other processes' changes are seen by the next call
 * of cuts_list or cuts_by_…. Safe in any thread.
 */
#ifndef INFLUXFS_CHAIN_CUTS_H
#define INFLUXFS_CHAIN_CUTS_H

#include "store/chain/cut_rules.h"
#include "store/chain/cutlist.h"
#include "store/snapshot/snapshots.h"

struct cuts;

/* The state folder and s must outlive the result. Nothing is made on disk before the first cut. s
 * may be NULL: then no cut or tar can be made. */
int cuts_open(struct snapshots *s, const char *state, struct cuts **out, struct err *e);
void cuts_close(struct cuts *c); /* no state or tarball may be left; NULL is allowed */

struct cut_info {
    struct cut_head head; /* of the base: of the state that it stands for; number -1: none yet */
    bool base;
    uint64_t files, bytes; /* added by this cut; of the base: the whole store */
    uint64_t left_out;     /* what the store had then and this cut is without: how many things */
};

/* The existing cuts: the base, then the numbers, rising. Without cuts *n is 0. The caller frees
 * *out. -EBADMSG: a manifest is damaged, and *e names it. Unless broken is NULL, the function then
 * returns 0, gives the cuts before that manifest and sets *broken. */
int cuts_list(struct cuts *c, struct cut_info **out, size_t *n, struct err *broken, struct err *e);

/* One cut, or -ENOENT: by serial; by number; the newest; the last one at or before a time, in
 * nanoseconds since 1970, by the clock when it was made. */
int cuts_by_serial(struct cuts *c, uint64_t serial, struct cut_info *out, struct err *e);
int cuts_by_number(struct cuts *c, int64_t number, struct cut_info *out, struct err *e);
int cuts_latest(struct cuts *c, struct cut_info *out, struct err *e);
int cuts_at_time(struct cuts *c, int64_t ns, struct cut_info *out, struct err *e);

/* Changes whenever any process makes, folds or removes a cut: for caches. */
uint64_t cuts_version(struct cuts *c);

/* A time as in at/TIME: RFC 3339 with any offset, or YYYYMMDDTHHMMSSZ. -EINVAL. */
int cuts_parse_time(const char *text, size_t len, int64_t *ns);

struct cut_result {
    bool made;      /* false: nothing has changed, or only what _internal holds */
    int64_t number; /* of the newest cut: the new one, or the one before it; -1: the base */
    char id[CUT_ID_MAX + 1];
    uint64_t files, bytes;         /* that changed */
    uint64_t copied, copied_bytes; /* those of them that were copied, not linked */
    struct err said;      /* why files were copied that should have been linkable; else empty */
    struct cut_head head; /* of the new one, with what it lost */
};

/* Cuts the store as it is now. Errors as snapshots_now; -ENOSPC: the reserve, or a full disk; the
 * chain is then unchanged. Waits for other processes that cut; -EINTR when the reader
 * interrupts. */
int cuts_make(struct cuts *c, const struct cut_rules *rules, const struct tarball_reader *reader,
              struct cut_result *out, struct err *e);

struct prune_result {
    uint64_t folded;         /* numbers that were taken into the base */
    int64_t base;            /* what it stands for now; -1: none */
    uint64_t removed, freed; /* retained files that were removed, and their bytes on disk */
    bool held_back;          /* a cut in use prevented more folding */
    bool guarded;            /* a cut with an unaccepted loss did: this one */
    int64_t guarded_number;
};

/* Folds until at most keep numbers are left, but keeps cuts in use and all that precedes a cut
 * whose loss tripped the guard, until the loss is accepted. Also removes the remains of a kill. */
int cuts_prune(struct cuts *c, uint64_t keep, struct prune_result *out, struct err *e);

/* Accepts the loss of the cut with this number, permanently: the cut can then be folded. -ENOENT:
 * no such number; -EINVAL: it did not trip the guard. Accepted before: 0. */
int cuts_accept_loss(struct cuts *c, int64_t number, struct err *e);

/* Retained files: their number and bytes, and the bytes that only the cuts still hold. */
int cuts_usage(struct cuts *c, uint64_t *files, uint64_t *bytes, uint64_t *only_ours,
               struct err *e);

/* A tar of a cut. CUT_FULL: the whole store then (base.tar, at/N.tar); CUT_CHANGES: its changes
 * since the cut before (N.tar). The cut is leased until the last tarball_unref, which must come
 * before cuts_close. -ENOENT: there is no such cut (any more). */
enum cut_tar { CUT_FULL, CUT_CHANGES };
int cuts_get_tar(struct cuts *c, uint64_t serial, enum cut_tar kind, struct tarball **out,
                 struct err *e);

/* Its size, remembered in the catalogue. */
int cuts_tar_size(struct cuts *c, uint64_t serial, enum cut_tar kind, uint64_t *size,
                  struct err *e);

/* Opens a retained file of a leased cut for reading, and checks that it is whole: -EIO. The
 * caller owns the descriptor. */
int cuts_open_file(struct cuts *c, const struct cut_entry *f, struct err *e);

#endif
