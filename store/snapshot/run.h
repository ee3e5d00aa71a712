/* SPDX-License-Identifier: MIT */
/*
 * A run: a folder of the live store and the files in it, as members of a snapshot. Captures share the
 * runs that have not changed from one to the next, so that a change costs what its folder holds.
 *
 * Its maker fills in the members, in the order of the tar, and seals it; from then on only what is
 * known of them grows: the change counter and sums. Counted by reference; safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_RUN_H
#define INFLUXFS_SNAPSHOT_RUN_H

#include "store/snapshot/member.h"

#include <stdatomic.h>

struct run_layout; /* of layout.c */

struct member_run {
    atomic_uint refs;
    const char *dir; /* the folder, "data/DB/RP/ID", …, which is its first member */
    size_t n, cap, nfiles;
    uint64_t bytes; /* in the files */
    char *names;    /* memory of the names of its files; freed with it */
    bool sealed;
    bool cut_off; /* damage cuts off a WAL segment */
    bool settled; /* the files have their index */
    enum run_files {
        RUN_LISTED, /* all that are in the folder */
        RUN_KNOWN,  /* none: they are known to be the same as before (run_remember) */
        RUN_LATER,  /* none: they are to be listed by another capture */
    } holds;
    uint8_t digest[SHA256_BYTES];
    _Atomic(struct run_layout *) layout; /* one block of memory; NULL until it is asked for */
    struct member members[];
};

/* A run of the folder root/path ("" is root itself), with that as its first member and room for
 * `files` more. NULL: out of memory. */
struct member_run *run_new(const char *root, const char *path, const struct file_attr *folder,
                           size_t files);

/* The next member, of which the caller sets all but dir. It owns what the member points to: a
 * reference to held, and wal_cut. */
struct member *run_add(struct member_run *r, const char *name);

/* Finds the digest and the sums of sizes. 0, -ENOMEM, or -ENAMETOOLONG. */
int run_seal(struct member_run *r);

/* Seals a run that stands for one whose files are not listed: RUN_KNOWN, of which there are so many, or
 * RUN_LATER. */
void run_remember(struct member_run *r, enum run_files holds, const uint8_t digest[SHA256_BYTES],
                  size_t nfiles, uint64_t bytes);

struct member_run *run_ref(struct member_run *r);
void run_unref(struct member_run *r); /* NULL is allowed */
static inline void run_unrefp(struct member_run **r)
{
    run_unref(*r);
}

/* Another run of the same members, whose indexes may still change. NULL: out of memory. */
struct member_run *run_copy(const struct member_run *r);

/* The sum of a file of the run, if it is known. */
bool run_sum(const struct member_run *r, size_t i, uint8_t out[SHA256_BYTES]);
/* Whether a file of the run is known to be damaged. */
bool run_damaged(const struct member_run *r, size_t i);
void run_set_sum(struct member_run *r, size_t i, const uint8_t sum[SHA256_BYTES]);

#endif
