/* SPDX-License-Identifier: MIT */
/*
 * Fills the staging folders: files and folders below meta/, data/ and wal/ with mode, time and
 * owner, all on disk at the end. A folder that the store has too gets the labels (labels.h) of that
 * one; stage_finish tells (targets_tell) what could not be set, which is no error.
 *
 * Names are those of a snapshot ("data/db/rp/1/1-1.tsm") and must have passed manifest_name_ok. No
 * link is followed, each component of a path is opened by itself, and only stage_fill
 * (stage_fill.h) replaces what is there. Times are nanoseconds since 1970. Used by one thread at a
 * time. Functions return -errno with a message; -EBADMSG: that name is staged already.
 */
#ifndef INFLUXFS_RESTORE_STAGE_H
#define INFLUXFS_RESTORE_STAGE_H

#include "store/base/err.h"
#include "store/restore/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stage;

/* A stage in these three folders, whose descriptors it takes over even on failure, for files of t's
 * owners. */
int stage_new(const struct targets *t, int fds[TARGETS], struct stage **out, struct err *e);

/* Closes it; what is staged stays. NULL is allowed. */
void stage_free(struct stage *s);
static inline void stage_freep(struct stage **s)
{
    stage_free(*s);
}

/* From now on only files are staged for which fn is true; others are opened, written and closed in
 * vain. stage_takes asks it. */
typedef bool stage_takes_fn(void *arg, const char *name);
void stage_limit(struct stage *s, stage_takes_fn *fn, void *arg);
bool stage_takes(const struct stage *s, const char *name);
bool stage_is_limited(const struct stage *s);

/* -ENOSPC if need[i] bytes exceed the free space below folder i; folders on one file system share
 * it. */
int stage_check_space(const struct stage *s, const uint64_t need[TARGETS], struct err *e);

/* Stages a folder. The end sets its mode and time (-1: any); the last call for it counts. */
int stage_folder(struct stage *s, const char *name, mode_t mode, int64_t mtime_ns, struct err *e);

/* Calls fn with each stage_folder so far, in order, until fn returns other than 0; returns that. */
struct stage_folder {
    const char *name;
    mode_t mode;
    int64_t mtime_ns;
};
typedef int stage_folder_fn(void *arg, const struct stage_folder *f);
int stage_each_folder(const struct stage *s, stage_folder_fn *fn, void *arg);

/* Stages one file: open, any number of writes, close (which sets its time). */
int stage_open(struct stage *s, const char *name, mode_t mode, struct err *e);
int stage_write(struct stage *s, const void *buf, size_t n, struct err *e);
int stage_close(struct stage *s, int64_t mtime_ns, struct err *e);

/* Reads a staged file as io_read_file does. -ENOENT: none of this name is staged. */
int stage_read_file(const struct stage *s, const char *name, size_t max, char **buf, size_t *len);

/* Sets the folders' modes and times and waits until all is on disk; after stage_unsynced the caller
 * has to wait instead, and has to know of labels by itself. */
void stage_unsynced(struct stage *s);
int stage_finish(struct stage *s, struct err *e);

#endif
