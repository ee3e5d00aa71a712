/* SPDX-License-Identifier: MIT */
/* Fills a stage with what lies on disk already: the store's files and increments that were
 * received. What is taken from stays as it is. Errors: as stage_reuse and stage_remove. */
#ifndef INFLUXFS_RESTORE_STAGE_FILL_H
#define INFLUXFS_RESTORE_STAGE_FILL_H

#include "store/restore/increment.h"
#include "store/restore/stage.h"

/* Stages the store, whose files are those of `base`: all its folders, and the files that none of
 * the n increments of the run removes or replaces. */
int stage_fill_from_store(struct stage *s, const struct targets *t, const struct manifest *base,
                          const struct increment *const run[], size_t n, struct err *e);

/* Applies the increments of the run to what is staged, one after the other. */
int stage_fill_from_run(struct stage *s, const struct targets *t,
                        const struct increment *const run[], size_t n, struct err *e);

#endif
