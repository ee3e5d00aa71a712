/* SPDX-License-Identifier: MIT */
/* What users say about cuts, as text: the values of reserve=, guard= and exclude=. Each function
 * returns 0, or -EINVAL with words that name the option, or -ENOMEM. */
#ifndef INFLUXFS_CHAIN_RULES_H
#define INFLUXFS_CHAIN_RULES_H

#include "store/chain/cuts.h"

/* What holds if nothing is said: 5 % of the disk stay free, a cut may lose 20 % of the store,
 * nothing is left out. */
void rules_default(struct cut_rules *out);

/* A part of the disk, as 5%, or bytes, with K, M, G or T for powers of 1024. */
int rules_reserve(const char *text, struct cut_rules *out, struct err *e);

/* A part of the store, such as 20%, or off. */
int rules_guard(const char *text, struct cut_rules *out, struct err *e);

/* DB[:DB…]. Whoever owns the rules calls rules_clear, which forgets the names. */
int rules_exclude(const char *text, struct cut_rules *out, struct err *e);
void rules_clear(struct cut_rules *r);

#endif
