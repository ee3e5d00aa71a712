/* SPDX-License-Identifier: MIT */
/*
 * For makers of captures (pinned.h, delta.c, cuts in store/chain): a struct that begins with struct
 * capture, and the functions that capture.h calls.
 *
 * The maker fills in the fields below and sets refs to 1; ops->free is called with the last
 * reference. Several threads may call the other functions at once.
 */
#ifndef INFLUXFS_SNAPSHOT_CAPTURE_IMPL_H
#define INFLUXFS_SNAPSHOT_CAPTURE_IMPL_H

#include "store/snapshot/capture.h"
#include "store/snapshot/run.h"

#include <stdatomic.h>

/* The source of bytes and sums: as the functions of capture.h, which call these for files only. */
struct capture_ops {
    void (*free)(struct capture *c); /* all that it is made of, and c itself */
    int (*read)(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                struct err *e);
    void (*advise)(const struct capture *c, size_t i, size_t n, uint64_t off); /* may be NULL */
    bool (*sum)(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES]);
    void (*set_sum)(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES]);
    bool (*any_damaged)(const struct capture *c);       /* NULL: each is asked */
    bool (*damaged)(const struct capture *c, size_t i); /* both may be NULL: nothing is known */
    void (*set_damaged)(struct capture *c, size_t i);
    int (*keep_sums)(struct capture *c, struct err *e);
    /* Of a capture whose members are read as they are asked for; NULL: of another. Fills in look, all
     * but capture, with some of them, i among them; and lets go of look->page. */
    int (*look)(const struct capture *c, size_t i, struct capture_look *look, struct err *e);
    void (*look_end)(void *page);
};

struct capture {
    const struct capture_ops *ops;
    atomic_uint refs;
    size_t n;               /* members */
    size_t nfiles;          /* how many of them are files, if they are read as they are asked for */
    struct member *members; /* all of them; NULL: they are read so, or those of the runs */
    struct member_run **runs;
    uint64_t *firsts; /* which member is the first of each run */
    size_t nruns;
    const struct omissions *left_out; /* never NULL */
    const char *const *links;
    size_t nlinks;
    struct catalog_record record;
    struct capture_origin origin;
};

/* Adds a run, which is taken over, also on failure. 0 or -ENOMEM. */
int capture_add_run(struct capture *c, struct member_run *r);
/* The run of member i, and which of its members that is, in *at. Only where members is NULL. */
struct member_run *capture_run_of(const struct capture *c, size_t i, size_t *at);
void capture_drop_runs(struct capture *c);

/* Of a capture without runs: a digest of all that makes the bytes of its tar, but for its record and origin. version:
 * what changes with the bytes of a member. more: n bytes that it depends on, too. */
int capture_digest(const struct capture *c, uint64_t (*version)(const struct member *m),
                   const void *more, size_t n, uint8_t out[SHA256_BYTES]);
/* The same of a capture in runs, by their digests. */
int capture_digest_runs(const struct capture *c, uint8_t out[SHA256_BYTES]);

#endif
