/* SPDX-License-Identifier: MIT */
/*
 * The staging folders being filled: files and folders below meta/, data/ and wal/, with mode, time
 * and owner, and everything on disk at the end.
 *
 * Names must have passed manifest_name_ok. Nothing is followed and, but for stage_link, nothing
 * replaced: every file is created anew, every component opened by itself. Used by one thread at a
 * time. Errors: as the system says, with words; -EBADMSG: a file or folder is there already.
 */
#ifndef INFLUXFS_RESTORE_STAGE_H
#define INFLUXFS_RESTORE_STAGE_H

#include "store/base/err.h"
#include "store/restore/target.h"

#include <stddef.h>
#include <stdint.h>

struct stage;

/* Takes over the three descriptors, and the owners of t. */
int stage_new(const struct targets *t, const int fds[TARGETS], struct stage **out);
void stage_free(struct stage *s); /* closes; removes nothing. NULL is allowed */
static inline void stage_freep(struct stage **s)
{
    stage_free(*s);
}

/* -ENOSPC if fewer bytes are free than would be written below one of the folders. need[] is by
 * target; those on one file system are added up. */
int stage_check_space(const struct stage *s, const uint64_t need[TARGETS], struct err *e);

/* A folder member. Its mode and time (-1: not said) are set at the end; the last word counts. */
int stage_folder(struct stage *s, const char *name, mode_t mode, int64_t mtime_ns, struct err *e);

/* The folder members, in the order in which they came. */
struct stage_folder {
    const char *name;
    mode_t mode;
    int64_t mtime_ns;
};
typedef int stage_folder_fn(void *arg, const struct stage_folder *f);
int stage_each_folder(const struct stage *s, stage_folder_fn *fn, void *arg);

/* One file: open, any number of writes, close (which sets its time). */
int stage_open(struct stage *s, const char *name, mode_t mode, struct err *e);
int stage_write(struct stage *s, const void *buf, size_t n, struct err *e);
int stage_close(struct stage *s, int64_t mtime_ns, struct err *e);

/* The same file as from[]/name, of other folders: a hard link where one can be made and the owner
 * is right, else a copy. One that is staged already is replaced. */
int stage_link(struct stage *s, const char *name, const int from[TARGETS], struct err *e);

/* Takes out a file, or a folder with all that is in it; absence is success. */
int stage_remove(struct stage *s, const char *name, struct err *e);

/* Takes over what another stage has left in these folders: they keep mode and time. */
int stage_adopt(struct stage *s, struct err *e);

/* Sets what the folders are to have, and waits until all is on disk; unless stage_unsynced was
 * called: then that is left to the caller. */
void stage_unsynced(struct stage *s);
int stage_finish(struct stage *s, struct err *e);

#endif
