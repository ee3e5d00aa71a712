/* SPDX-License-Identifier: MIT */
/* A cut as a command line names it. */
#ifndef INFLUXFS_INFLUXSNAP_WHICHCUT_H
#define INFLUXFS_INFLUXSNAP_WHICHCUT_H

#include "store/chain/cuts.h"

/* N, base, latest, or a TIME as cuts_parse_time reads it: the last cut at or before that. -EINVAL:
 * something else; -ENOENT: there is no such cut; others as cuts_list. */
int whichcut(struct cuts *c, const char *which, struct cut_info *out, struct err *e);

#endif
