/* SPDX-License-Identifier: MIT */
/* Staging folders filled with what a store holds already and with numbers that were received. */
#ifndef INFLUXFS_RESTORE_MERGE_H
#define INFLUXFS_RESTORE_MERGE_H

#include "store/restore/pending.h"
#include "store/restore/stage.h"

/* The files of the store, which holds `held`, but for those that the numbers of the run remove or
 * replace; and its folders. */
int merge_store(struct stage *s, const struct targets *t, const struct manifest *held,
                const struct number *const run[], size_t n, struct err *e);

/* The numbers of the run, one after the other, onto what is staged. They stay as they are. */
int merge_numbers(struct stage *s, const struct targets *t, const struct number *const run[],
                  size_t n, struct err *e);

#endif
