/* SPDX-License-Identifier: MIT */
/*
 * Finds out beforehand whether cuts can keep the store's files as hard links.
 *
 * Two kinds of files cannot be linked into the state folder: files on another file system, and
 * other users' files that the kernel protects (fs.protected_hardlinks). A cut copies them; the
 * first cut copies all of them.
 */
#ifndef INFLUXFS_CHAIN_CUT_LINKS_H
#define INFLUXFS_CHAIN_CUT_LINKS_H

#include "store/chain/cuts.h"
#include "store/influx/paths.h"

enum cut_links_how {
    CUT_LINKS_UNKNOWN, /* there is no file to try, or the state folder cannot be written to */
    CUT_LINKS_LINKED,
    CUT_LINKS_COPIED,
    CUT_LINKS_PARTLY,
};

struct cut_links {
    enum cut_links_how how;
    uint64_t files, bytes; /* TSM files and tombstones that would be copied */
    struct err why;        /* why they would be copied, or why it is not known */
};

/* Tries a link in the state folder of c, to one file of each shard that the rules do not exclude.
 * Unreadable parts of the store are skipped: a cut reports them. */
int cut_links_try(struct cuts *c, const struct store_paths *paths, const struct cut_rules *rules,
                  struct cut_links *out, struct err *e);

/* -ENOSPC, with a message: there are no cuts yet, and the first copy would use up the reserve. */
int cut_links_room(struct cuts *c, const struct cut_rules *rules, const struct cut_links *l,
                   struct err *e);

/* "linked", "copied", "partly copied", or "unknown". */
const char *cut_links_word(enum cut_links_how how);

#endif
