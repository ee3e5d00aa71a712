/* SPDX-License-Identifier: MIT */
/* Fills a stage with a retained cut (store/chain), by links as far as that is possible; and the
 * manifest of that cut, as a restore knows a full snapshot. */
#ifndef INFLUXFS_RESTORE_STAGE_CUT_H
#define INFLUXFS_RESTORE_STAGE_CUT_H

#include "store/chain/cutuse.h"
#include "store/chain/placing.h"
#include "store/restore/stage.h"
#include "store/snapshot/manifest.h"

/* Called after each file; a result other than 0 ends the staging, which returns it. */
typedef int stage_cut_fn(void *arg, const char *name, uint64_t size, bool linked, struct err *e);

/* Stages the whole state. Errors as placing_put, stage_folder and cutstream_next. */
int stage_cut(struct stage *s, struct placing *p, const struct cutuse *cut, stage_cut_fn *fn,
              void *arg, struct err *e);

/* The mode, owner and time of a file of the cut once it is staged. */
struct file_attr stage_cut_attr(const struct cut_entry *f, uid_t uid, gid_t gid);

/* Its files are only counted (manifest.h: unlisted, bytes). The caller frees *out. -ENOMEM; as
 * cutstream_next. */
int stage_cut_manifest(const struct cutuse *cut, struct manifest **out, struct err *e);

#endif
