/* SPDX-License-Identifier: MIT */
/*
 * One exchange of the store: to a staged full snapshot, or to a store composed of a part of it
 * (compose.h), or on from what the store holds; in each case with the increments that follow.
 * Intermediate states are never installed.
 *
 * Used by one thread, with the targets locked, and after targets_probe.
 */
#ifndef INFLUXFS_RESTORE_JOB_H
#define INFLUXFS_RESTORE_JOB_H

#include "store/base/sha256.h"
#include "store/restore/advice.h"
#include "store/restore/increment.h"
#include "store/restore/install.h"
#include "store/restore/record.h"
#include "store/restore/restore_request.h"

/* A retained cut that is staged: the manifest of its snapshot does not list its files. */
struct staged_cut {
    const struct cutuse *use;
    bool copies; /* some of its TSM files are not links of retained ones */
};

struct job {
    /* Given, and not owned. */
    struct targets *t;
    struct record *record;
    struct install_check check;
    bool keep_expired;                     /* session_options.h */
    const struct restore_request *request; /* what is asked of the staged snapshot; NULL: all */
    const char *follows; /* the id of a snapshot of which the staged one knows more; or NULL: if the
                          * store still is as of that, what it has replaced stays kept */
    const struct staged_cut *cut; /* the staged snapshot is that of a cut; or NULL */

    /* What may be applied: the increments that wait on disk; and all, which are borrowed. job_clear
     * frees both lists. */
    struct increment_list waiting;
    const struct increment **all;
    const struct manifest **manifests; /* theirs */
    size_t n;

    /* Made by job_plan. */
    struct manifest *state;       /* what the store will hold */
    const struct increment **run; /* those that lead to it, in order */
    size_t nrun;
    const struct increment *unfit; /* the next one, if it does not fit, */
    struct err why;                /* and why */

    const char
        *before; /* made by job_run: the id of what the store is as of, and is not to be kept */
    struct advice advice; /* made by job_run */
    struct err note;      /* made by job_run: what went wrong without harm; else empty */

    uint8_t was[SHA256_BYTES]; /* the store that a composed one was made of (unchanged.h) */
};

/* Finds the increments that follow `from`. -ENOMEM. */
int job_plan(struct job *j, const struct manifest *from, struct err *e);

/* Exchanges the store; after success the caller calls record_end, except for a composed store, which
 * is no snapshot's: the record stays, and does not fit. from: what the store holds; NULL:
 * a staged full snapshot. Errors and leftovers as install_run; -ESTALE: the store has changed since
 * `from` was restored. */
int job_run(struct job *j, const struct manifest *from, struct err *e);

bool job_has(const struct job *j, const struct increment *i);
void job_clear(struct job *j);

#endif
