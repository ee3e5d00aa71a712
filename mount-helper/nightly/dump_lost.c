/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/dump_lost.h"

#include "store/base/cleanup.h"

#include <stdlib.h>

/* Shards do not come in the order of their starts, and may overlap, if their duration was changed. */
int dump_lost_nothing(const struct shards *s, const struct dump_query *q, bool *yes, struct err *e)
{
    autofree size_t *list = NULL;
    size_t n = 0;
    int64_t upto = q->from, before;
    int r = shards_range(s, q->db, q->rp, q->from, q->to, &list, &n, e);
    do {
        before = upto;
        for (size_t i = 0; r == 0 && i < n; i++) {
            const struct shard_files *sh = shards_at(s, list[i]);
            if ((sh->ntsm || sh->nwal) && sh->start <= upto && sh->end > upto)
                upto = sh->end;
        }
    } while (upto > before);
    *yes = upto >= q->to;
    return r;
}
