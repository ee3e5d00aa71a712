/* SPDX-License-Identifier: MIT */
/* A set of `influxd backup` that arrives as one tar, compressed or not: its files are unpacked on
 * disk as they come, judged at its end (set.h), and given on as a snapshot. It is told from a
 * snapshot by its first member. */
#ifndef INFLUXFS_SETS_ARRIVAL_TAR_H
#define INFLUXFS_SETS_ARRIVAL_TAR_H

#include "store/restore/translator.h"

extern const struct translator arrival_tar;

#endif
