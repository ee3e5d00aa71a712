/* SPDX-License-Identifier: MIT */
/*
 * The cuts of one store: states of it that are retained on disk. The room's top.
 *
 * The first cut makes the base; each later one the next number, 0, 1, 2, … Folding takes the oldest
 * numbers into the base, which then stands for the last of them. On disk, below the state folder:
 *
 *   cuts/base          the manifest file of the base (cutlist.h): everything there was
 *   cuts/NUMBER        that of a number: what changed since the one before it
 *   cuts/files/SERIAL/SEQ  the retained files (pool.h)
 *   cuts/leases/SERIAL flock(2)ed by whoever uses the state of that cut
 *   cuts/lock          flock(2)ed by whoever cuts or folds
 *
 * These are the truth, and each step of a cut or a fold leaves them good; what a kill left over is
 * removed by the next one who cuts or folds. The catalogue only remembers what was found in them.
 *
 * Several processes may use one state folder at once. What another process did is seen by the next
 * call of cuts_list or cuts_find. Safe in any thread.
 */
#ifndef INFLUXFS_CHAIN_CUTS_H
#define INFLUXFS_CHAIN_CUTS_H

#include "store/chain/cut_rules.h"
#include "store/chain/cutstate.h"
#include "store/snapshot/snapshots.h"

struct cuts;

/* state is the state folder, which must outlive the result, as must s. Nothing is made on disk
 * before the first cut. s may be NULL: then nothing can be cut, and no tar made. */
int cuts_open(struct snapshots *s, const char *state, struct cuts **out, struct err *e);
void cuts_close(struct cuts *c); /* no state or tarball may be left; NULL is allowed */

struct cut_info {
    struct cut_head head; /* of the base: of the state that it stands for; number -1: none yet */
    bool base;
    uint64_t files, bytes; /* that it adds; of the base: of the whole store */
};

/* The cuts there are, the base first, then the numbers, rising. None: *n is 0. The caller frees
 * *out. -EBADMSG: a manifest is damaged; those before it are still given, and *e names it: then the
 * function returns 0 and *broken says so (may be NULL: then that is an error). */
int cuts_list(struct cuts *c, struct cut_info **out, size_t *n, struct err *broken, struct err *e);

/* One that is there: -ENOENT if it is not. By serial; by number; the newest; the last one at or
 * before a time, in nanoseconds since 1970, by what the clock said when it was made. */
int cuts_by_serial(struct cuts *c, uint64_t serial, struct cut_info *out, struct err *e);
int cuts_by_number(struct cuts *c, int64_t number, struct cut_info *out, struct err *e);
int cuts_latest(struct cuts *c, struct cut_info *out, struct err *e);
int cuts_at_time(struct cuts *c, int64_t ns, struct cut_info *out, struct err *e);

/* Changes whenever a cut is made, folded or removed, by any process: for those who cache. */
uint64_t cuts_version(struct cuts *c);

/* A time as in at/TIME: RFC 3339 with any offset, or YYYYMMDDTHHMMSSZ. -EINVAL. */
int cuts_parse_time(const char *text, size_t len, int64_t *ns);

struct cut_result {
    bool made;      /* false: nothing has changed, or only what _internal holds */
    int64_t number; /* of the newest cut: the new one, or the one before it; -1: the base */
    char id[CUT_ID_MAX + 1];
    uint64_t files, bytes;         /* that changed */
    uint64_t copied, copied_bytes; /* those of them that were copied, not linked */
    struct err said; /* why whole files had to be copied that could have been linked; else empty */
    struct cut_head head; /* of the new one, with what it lost */
};

/* Cuts the store as it is now. Errors as snapshots_now; -ENOSPC: the reserve, or a full disk; then
 * the chain is as it was. Waits for another process that cuts; -EINTR when reader says so. */
int cuts_make(struct cuts *c, const struct cut_rules *rules, const struct tarball_reader *reader,
              struct cut_result *out, struct err *e);

struct prune_result {
    uint64_t folded;         /* numbers that were taken into the base */
    int64_t base;            /* what it stands for now; -1: none */
    uint64_t removed, freed; /* retained files that were removed, and their bytes on disk */
    bool held_back;          /* a cut that is in use kept more from being folded */
    bool guarded;            /* a cut whose loss is not accepted did: this one */
    int64_t guarded_number;
};

/* Folds until at most keep numbers are left, as far as no cut in use is lost by that, and nothing
 * that a cut lost which tripped the guard: what is before it stays until the loss is accepted. And
 * removes what a kill has left over. */
int cuts_prune(struct cuts *c, uint64_t keep, struct prune_result *out, struct err *e);

/* Accepts what the cut with this number lost, for good: it is folded as others are. -ENOENT: there
 * is no such number; -EINVAL: it did not trip the guard. Accepted before: 0. */
int cuts_accept_loss(struct cuts *c, int64_t number, struct err *e);

/* What is retained: files, and bytes of those that nothing but the cuts holds any more. */
int cuts_usage(struct cuts *c, uint64_t *files, uint64_t *bytes, uint64_t *only_ours,
               struct err *e);

/* A tar of a cut. CUT_FULL: the whole store as it was then (base.tar, at/N.tar); CUT_CHANGES: what
 * changed since the cut before it (N.tar). The cut is leased until the last tarball_unref, which
 * must come before cuts_close. -ENOENT: it is not there (any more). */
enum cut_tar { CUT_FULL, CUT_CHANGES };
int cuts_get_tar(struct cuts *c, uint64_t serial, enum cut_tar kind, struct tarball **out,
                 struct err *e);

/* Its size, remembered in the catalogue. */
int cuts_tar_size(struct cuts *c, uint64_t serial, enum cut_tar kind, uint64_t *size,
                  struct err *e);

/* The state of a cut, leased until cuts_put_state. */
int cuts_get_state(struct cuts *c, uint64_t serial, struct cutstate **out, struct err *e);
void cuts_put_state(struct cuts *c, struct cutstate *s);

/* Opens a retained file of a leased state for reading, and makes sure that it is whole: -EIO. The
 * descriptor is the caller's. */
int cuts_open_file(struct cuts *c, const struct cut_entry *f, struct err *e);

#endif
