/* SPDX-License-Identifier: MIT */
/* Shared by cut_make.c (the steps of a cut), cut_compare.c (what has changed) and cut_retain.c. */
#ifndef INFLUXFS_CHAIN_CUT_MAKE_INTERNAL_H
#define INFLUXFS_CHAIN_CUT_MAKE_INTERNAL_H

#include "store/base/arena.h"
#include "store/chain/cut_loss.h"
#include "store/chain/cutdraft.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/cutstream.h"
#include "store/chain/pool.h"

/* A member of the capture, by its whole path. */
struct cut_item {
    const char *path;
    size_t i;
};

/* A shard's folder of data whose files were retained before the rest of the cut (cut_make.c). */
struct cut_piece {
    const char *folder; /* "data/DB/RP/ID" */
    uint8_t digest[SHA256_BYTES];
    uint64_t at, len;  /* its lines, in the draft */
    uint32_t first, n; /* its retained files */
    uint64_t files, bytes;
};

struct making {
    struct cuts *c;
    const struct cut_rules *rules;
    const struct tarball_reader *reader;
    int cuts_fd;
    struct cut_info before;   /* the newest cut */
    bool first;               /* there is none */
    struct catalog_base base; /* its, if known: what has not changed since need not be listed */
    bool base_known;
    uint8_t rules_digest[SHA256_BYTES];
    struct capture *capture;
    struct cut_item *items; /* the content of the capture, sorted */
    size_t n;
    char *paths;         /* owns their paths */
    struct cutlist list; /* the new cut, but for its files and folders */
    struct arena names;  /* of its names that have gone */
    struct cutdraft *draft;
    struct cut_piece *pieces; /* sorted by folder, ascending */
    size_t npieces;
    struct loss *loss;
    struct pool_adding pool;
    bool changed; /* anything at all */
    bool matters; /* something but _internal has changed */
    struct cut_result *out;
};

/* What a look at the differences is for. */
enum cut_look {
    CUT_WEIGH = 1,  /* what is gone, whether it matters, and what was lost */
    CUT_RETAIN = 2, /* the files, and their lines */
};

/* Sorts the members of the capture, without what the rules exclude. -EINVAL: a name that no snapshot
 * may hold. */
int cut_choose(struct making *m, struct err *e);
bool cut_excludes(const struct cut_rules *rules, const char *path);

/* Compares all of the capture with the newest cut. Takes the pieces for folders that it does not
 * list. */
int cut_compare(struct making *m, unsigned look, struct err *e);

/* Compares, for both, those folders of shards that the capture lists and that are no pieces yet, and
 * makes them pieces. */
int cut_compare_pieces(struct making *m, struct err *e);

/* The piece of a folder, or NULL. */
struct cut_piece *cut_piece_of(const struct making *m, const char *folder);

/* Retains a file, unless it is retained already and only its owner or mode has changed. */
int cut_retain(struct making *m, const struct cut_entry *old, const struct cut_item *item,
               struct cut_entry *out, struct err *e);

/* Whether a meta.db differs in what matters: influxd makes and drops shards of _internal every day,
 * and says so there. */
int cut_meta_matters(const struct making *m, const struct cut_entry *old,
                     const struct cut_item *item, bool *out, struct err *e);

/* Whether a member that looks changed is a file of the newest cut that was put back as a copy, as a
 * rollback does: its attributes are the same, and so are its bytes. Not of what would be linked, which
 * is better retained anew. */
int cut_is_put_back(const struct making *m, const struct cut_entry *old,
                    const struct cut_item *item, bool *out, struct err *e);

/* Whether a member has the same bytes as a file of the newest cut. */
bool cut_same_bytes(const struct cut_entry *old, const struct member *m);

#endif
