/* SPDX-License-Identifier: MIT */
/* Values of options. Each function returns 0, or -EINVAL with words that name the option. */
#ifndef INFLUXFS_INFLUXSNAP_VALUES_H
#define INFLUXFS_INFLUXSNAP_VALUES_H

#include "store/base/err.h"
#include "store/chain/cuts.h"

#include <stdint.h>
#include <sys/types.h>

int value_count(const char *name, const char *text, uint64_t *out, struct err *e);

/* USER[:GROUP], names or numbers. Without a group: the user's own; for a number, the same. */
int value_owner(const char *text, uid_t *uid, gid_t *gid, struct err *e);

/* 5% of the disk, or bytes, with K, M, G or T for powers of 1024. */
int value_reserve(const char *text, struct cut_rules *out, struct err *e);

/* DB[:DB]. *memory, which the caller frees after out->exclude, holds the names. -ENOMEM. */
int value_exclude(const char *text, struct cut_rules *out, char **memory, struct err *e);

#endif
