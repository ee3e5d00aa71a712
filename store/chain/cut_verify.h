/* SPDX-License-Identifier: MIT */
/*
 * Checks what the cuts retain, to the last byte: the manifests against their seals, and each retained
 * file once, whichever cuts need it: its size, its SHA-256 and, of a TSM file, the CRC of each block.
 *
 * A file whose SHA-256 nobody has computed yet gets one now, which the catalogue keeps; until then
 * only its size and its blocks can be checked. No cut is folded meanwhile; cuts may be made, but those
 * are not checked.
 */
#ifndef INFLUXFS_CHAIN_CUT_VERIFY_H
#define INFLUXFS_CHAIN_CUT_VERIFY_H

#include "store/chain/cuts.h"

/* A cut, checked. */
struct cut_verified {
    struct cut_info cut;
    uint64_t files, bytes, tsm; /* retained for this cut first, and checked; TSM files among them */
    uint64_t fresh;             /* of these files, those whose SHA-256 was not known */
    size_t damaged; /* files of the whole store at this cut that are damaged or missing */
    const struct cutlist *list; /* what was left out, and links; while `cut` is called */
};

/* How it goes. All functions are called in this thread, with arg. */
struct cut_verifier {
    const struct tarball_reader *reader;
    /* A file begins; n bytes more of it have been read. */
    void (*file)(void *arg, const char *path, uint64_t size);
    void (*progress)(void *arg, uint64_t n);
    /* A file is damaged or missing; words name it. The cut that first has it is still to come. */
    void (*damaged)(void *arg, const struct cut_info *cut, const char *words);
    /* A cut is done. */
    void (*cut)(void *arg, const struct cut_verified *v);
    void *arg;
};

/* Checks all cuts, from the base on. Without cuts nothing is called. -EBADMSG: a manifest is damaged;
 * -ENODATA: one is missing, or builds on something else; e says which, and cuts from there on are
 * unusable and not checked. -EINTR; -ENFILE, -ENOMEM and others: the check could not go on. Damaged
 * files are no failure. */
int cuts_verify(struct cuts *c, const struct cut_verifier *v, struct err *e);

#endif
