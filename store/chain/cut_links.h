/* SPDX-License-Identifier: MIT */
/*
 * Whether cuts can keep the store's files as hard links, found out beforehand.
 *
 * Files on another file system than the state folder cannot be linked there, nor can those that the
 * kernel protects (fs.protected_hardlinks) from another user than theirs. A cut then copies them,
 * the first one all of them.
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
    struct err why;        /* they would be; or why it is not known */
};

/* Tries it with a file of each shard that the rules do not exclude, in the state folder of c. What
 * of the store cannot be looked into is passed over: a cut says so. */
int cut_links_try(struct cuts *c, const struct store_paths *paths, const struct cut_rules *rules,
                  struct cut_links *out, struct err *e);

/* -ENOSPC, with a message: there are no cuts yet, and the first would copy more than fits above the
 * reserve. */
int cut_links_room(struct cuts *c, const struct cut_rules *rules, const struct cut_links *l,
                   struct err *e);

/* "linked", "copied", "partly copied", or "unknown". */
const char *cut_links_word(enum cut_links_how how);

#endif
