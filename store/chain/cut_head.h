/* SPDX-License-Identifier: MIT */
/* What a cut says of itself: the lines that its manifest file (cutlist.h) begins with. Plain data. */
#ifndef INFLUXFS_CHAIN_CUT_HEAD_H
#define INFLUXFS_CHAIN_CUT_HEAD_H

#include "store/chain/cut_text.h"
#include "store/snapshot/catalog.h"

#define CUT_ID_MAX 64       /* characters of an id or chain */
#define CUT_LOST_NAMES 1040 /* bytes of the names of what was lost; one always fits */

/* What vanished since the cut before (cut_loss.h). */
struct cut_lost {
    uint64_t shards;           /* that are gone as a whole */
    uint64_t files, bytes, of; /* of is what there was, in bytes */
    uint64_t policies;
    char names[CUT_LOST_NAMES]; /* of the policies with the largest losses, "DB/RP", by newlines */
};

/* Whether it lost more than was allowed. */
enum cut_guard { CUT_GUARD_FINE, CUT_GUARD_TRIPPED, CUT_GUARD_ACCEPTED };

struct cut_head {
    uint64_t serial;
    int64_t number; /* -1: none */
    char chain[CUT_ID_MAX + 1];
    char id[CUT_ID_MAX + 1];
    char parent[CUT_ID_MAX + 1]; /* "": none */
    char host[CATALOG_HOST + 1];
    int64_t created_ns; /* rises from cut to cut */
    int64_t wall_ns;    /* what the clock said */
    uint64_t index;
    int64_t skew_ns;
    struct cut_lost lost;
    enum cut_guard guard;
};

/* Writes these lines, but for the first. */
void cut_head_put(FILE *f, const struct cut_head *h);

/* Takes one of them, whose first word is key. -EBADMSG, with a message: it is damaged, or no line of
 * a head. */
int cut_head_read(const struct cut_reader *r, const char *key, char *value, struct cut_head *h);

#endif
