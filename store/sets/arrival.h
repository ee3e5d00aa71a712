/* SPDX-License-Identifier: MIT */
/*
 * A set of `influxd backup` that arrives in a folder of restore/, file by file, in any order.
 *
 * Its files lie on disk until they can be judged together (set.h); then the set goes through an
 * upload as a snapshot does (upload.h). When it is judged:
 *
 *   portable   at the flush or rename by which all of its manifests and all files that they name
 *              have arrived, and no other file is there whose manifest may still come. In a folder
 *              with several runs that may happen after each of them: the union is restored then
 *   any        when `.done` is made in it
 *
 * The result of that call is the verdict. A file has arrived when its writer has flushed it, unless
 * that was killed or could not write; it may be written anew. After a verdict, the same files are
 * judged again for `.done`, or once all files of a manifest were written anew. What was refused has
 * the size 0 for stat(2), so that no tool takes it for done.
 *
 * Threads: every function may be called from any thread, and those with `who` (which may be NULL)
 * wait while the set is judged; -EINTR once that was interrupted, upon which the judging is given up
 * unless an exchange has begun, which goes on. Functions return -errno with a message.
 */
#ifndef INFLUXFS_SETS_ARRIVAL_H
#define INFLUXFS_SETS_ARRIVAL_H

#include "store/base/err.h"
#include "store/restore/restore_request.h"
#include "store/restore/session.h"
#include "store/snapshot/tarball.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arrival;
struct arrival_file;
struct arrival_handle;

#define ARRIVAL_DONE ".done"

enum arrival_kind {
    ARRIVAL_NONE,      /* no file of a set */
    ARRIVAL_FINAL,     /* a file of a set, `.done`, or what lies beside a set of ours: left_out */
    ARRIVAL_TEMPORARY, /* the name under which rsync or rclone write one first */
};

/* What a file is, by its name. Pure. */
enum arrival_kind arrival_kind_of(const char *name);

/* A set that arrives under this path below restore/. `asked`, which is copied, as for upload_new.
 * Released by arrival_unref. -EBUSY: influxd uses the store; -ENOSPC and others: no place. */
int arrival_new(struct session *s, const char *path, const struct restore_request *asked,
                struct arrival **out, struct err *e);
struct arrival *arrival_ref(struct arrival *a);
void arrival_unref(struct arrival *a); /* NULL is allowed */
static inline void arrival_unrefp(struct arrival **a)
{
    arrival_unref(*a);
}

/* Whether files wait for a verdict, or for the rest of the set; whether they are judged now. */
bool arrival_waits(struct arrival *a);
bool arrival_is_judged(struct arrival *a);

/* Removes what has arrived; logs why there is no verdict, if it waits. Files and handles stay good,
 * and give -ESTALE. */
void arrival_drop(struct arrival *a);

/* Judges what has arrived, unless the last verdict on it was good. */
int arrival_done(struct arrival *a, const struct tarball_reader *who, struct err *e);

/* Files */

/* A new, empty file; temporary: it counts only once it was renamed. -EEXIST; -ENAMETOOLONG. The
 * caller releases it with arrival_file_free. */
int arrival_add(struct arrival *a, const char *name, bool temporary,
                const struct tarball_reader *who, struct arrival_file **out, struct err *e);

/* Gives it another name in the set, replacing the file of that name. The result may be the verdict:
 * *renamed says whether it has the new name, whatever that is. */
int arrival_rename(struct arrival_file *f, const char *name, bool temporary,
                   const struct tarball_reader *who, bool *renamed, struct err *e);

void arrival_remove(struct arrival_file *f); /* from the set and from disk */
void arrival_file_free(struct arrival_file *f);

uint64_t arrival_size(struct arrival_file *f); /* for stat(2) */
bool arrival_refused(struct arrival_file *f);  /* a verdict on it was a refusal */

/* Sets the size; 0 begins it anew. */
int arrival_truncate(struct arrival_file *f, uint64_t size, const struct tarball_reader *who,
                     struct err *e);

/* Handles, one for each open(2). The file must outlive them. */
int arrival_open(struct arrival_file *f, bool writer, const struct tarball_reader *who,
                 struct arrival_handle **out, struct err *e);
int arrival_write(struct arrival_handle *h, const void *buf, size_t n, uint64_t off,
                  const struct tarball_reader *who, struct err *e);
ssize_t arrival_read(struct arrival_handle *h, void *buf, size_t n, uint64_t off);

/* A descriptor of the file was closed; killed: because its process was. The result is the verdict
 * that the writer sees; 0 as long as the set is not complete. */
int arrival_flush(struct arrival_handle *h, bool killed, const struct tarball_reader *who,
                  struct err *e);
void arrival_close(struct arrival_handle *h);

#endif
