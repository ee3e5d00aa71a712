/* SPDX-License-Identifier: MIT */
/* A capture of what a cut retains: its members are those of a manifest, their bytes lie in the
 * pool. */
#ifndef INFLUXFS_CHAIN_CUT_CAPTURE_H
#define INFLUXFS_CHAIN_CUT_CAPTURE_H

#include "store/chain/cuts.h"

/* Of a whole state, and of what a cut has changed. state, list and lease are taken over, on failure
 * too. */
int cut_capture_of_state(struct cuts *c, struct cutstate *state, struct capture **out,
                         struct err *e);
int cut_capture_of_list(struct cuts *c, struct cutlist *list, int lease, struct capture **out,
                        struct err *e);

#endif
