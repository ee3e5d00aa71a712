/* SPDX-License-Identifier: MIT */
/*
 * Files that arrive for a stage as bytes, as with stage_open, stage_write and stage_close, of which
 * some are here already: as long as a file arrives with the bytes of one of the originals
 * (originals.h), it is not written, and at its end it becomes a link. Errors as in stage.h.
 */
#ifndef INFLUXFS_RESTORE_STAGE_MATCH_H
#define INFLUXFS_RESTORE_STAGE_MATCH_H

#include "store/restore/originals.h"
#include "store/restore/stage.h"

/* From now on these count; takes them over. */
void stage_match_with(struct stage *s, struct originals *o);

/* Whether a file of this name and size may need no room on disk; how many files became links. */
bool stage_match_may(const struct stage *s, const char *name, uint64_t size);
size_t stage_match_linked(const struct stage *s);

int stage_match_open(struct stage *s, const char *name, uint64_t size, mode_t mode, struct err *e);
int stage_match_write(struct stage *s, const void *buf, size_t n, struct err *e);
int stage_match_close(struct stage *s, int64_t mtime_ns, struct err *e);

#endif
