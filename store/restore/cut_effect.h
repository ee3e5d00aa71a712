/* SPDX-License-Identifier: MIT */
/* What becomes of the files of a store when a retained cut takes its place. */
#ifndef INFLUXFS_RESTORE_CUT_EFFECT_H
#define INFLUXFS_RESTORE_CUT_EFFECT_H

#include "store/chain/cutuse.h"
#include "store/chain/placing.h"
#include "store/restore/target.h"

struct cut_effect {
    uint64_t back, back_bytes;       /* files that the store does not have come back, */
    uint64_t changed, changed_bytes; /* of others, size or time changes; bytes as of the cut */
    uint64_t gone, gone_bytes;       /* those that only the store has go, */
    uint64_t same, same_bytes;       /* and the rest are as they were */
    char **databases;                /* that go as a whole: the cut knows nothing of them */
    size_t ndatabases;

    bool
        replaces_cut; /* the store is as of another retained cut: nothing of it is lost, so it is not
                        * kept, and what was kept before stays; set by session_cut.h */

    uint64_t linked, copied, copied_bytes; /* files of the cut: how they are put there, */
    uint64_t copied_tsm;                   /* and copied TSM files among them */
    uint64_t need[TARGETS];                /* bytes that are copied, by folder */
    struct err said;                       /* why more was copied than has to be; or empty */
};

/* Looks at the store, which stays as it is, and at the retained files. The caller clears *out. Errors
 * as placing_links, cutstream_next and targets_open_store. */
int cut_effect_look(const struct targets *t, struct placing *p, const struct cutuse *cut,
                    struct cut_effect *out, struct err *e);
void cut_effect_clear(struct cut_effect *x);

#endif
