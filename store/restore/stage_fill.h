/* SPDX-License-Identifier: MIT */
/* Fills a stage with what is on disk already: the store's files, and received increments. The
 * sources stay unchanged. */
#ifndef INFLUXFS_RESTORE_STAGE_FILL_H
#define INFLUXFS_RESTORE_STAGE_FILL_H

#include "store/restore/increment.h"
#include "store/restore/stage.h"

/* Stages what n increments, in this order, make of the store, whose files are those of `base`;
 * NULL: of the full snapshot that another stage left in these folders. -ESTALE: a source is not a
 * file; others as in stage.h. */
int stage_fill(struct stage *s, const struct targets *t, const struct manifest *base,
               const struct increment *const run[], size_t n, struct err *e);

/* Stages the file `from` in this folder as `name`, replacing a staged one: as a hard link if possible
 * and of the right owner, else as a copy. -ESTALE: it is not a file. */
int stage_fill_file(struct stage *s, const char *name, int folder, const char *from, struct err *e);

#endif
