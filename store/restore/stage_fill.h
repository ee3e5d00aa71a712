/* SPDX-License-Identifier: MIT */
/* Fills a stage with what lies on disk already: the store's files and increments that were
 * received. What is taken from stays as it is. */
#ifndef INFLUXFS_RESTORE_STAGE_FILL_H
#define INFLUXFS_RESTORE_STAGE_FILL_H

#include "store/restore/increment.h"
#include "store/restore/stage.h"

/* Stages what n increments make, one after the other, of the store, whose files are those of
 * `base`; NULL: of the full snapshot that another stage has left in these folders. -ESTALE: what is
 * to be a file is none; others as in stage.h. */
int stage_fill(struct stage *s, const struct targets *t, const struct manifest *base,
               const struct increment *const run[], size_t n, struct err *e);

#endif
