/* SPDX-License-Identifier: MIT */
/*
 * What backup/ is made of: the sets of the captures that are in use, each made once (madeset.h).
 *
 * A tool that copies a folder must find in it what it has listed, however long that takes, in as many
 * processes as it likes. So the sets of a capture are kept while a file of them is open, and for a
 * minute after they were last listed, looked up or closed (lifetime.h). Names of portable sets bear
 * the time of their capture, by which any process finds them again. Names of legacy sets do not: a
 * process keeps the sets of its first look, as long as it lives, up to ten minutes after that and
 * after the last close. When it lists a folder again, while none of its files is open, it gets the
 * store as it is then. A process that cannot be seen from here keeps none.
 *
 * Safe in any thread.
 */
#ifndef INFLUXFS_FS_BACKUP_SETS_H
#define INFLUXFS_FS_BACKUP_SETS_H

#include "fs/fs.h"
#include "store/program/report.h"
#include "store/sets/madeset.h"

struct backups;
struct backup_sets;

struct backups *backup_sets_new(struct fs *fs); /* NULL: out of memory */
void backup_sets_free(struct backups *b);       /* after all nodes; NULL is allowed */
/* Releases what has had its time; all that is not referred to. */
void backup_sets_expire(struct backups *b);
void backup_sets_drop_all(struct backups *b);

/* A reference to the sets for the caller; listing: it lists a folder. db: those of the whole store, or
 * of an instant of this database alone (parts.h), which serve for that only; NULL: of the whole. -ENOENT:
 * there is no store; other errors are in status.json. */
int backup_sets_now(struct request *r, const char *db, bool listing, struct backup_sets **out);
/* The same of the capture with this time in its names, as far as they are kept. -ENOENT. */
int backup_sets_at(struct request *r, const char *db, const char base[MADESET_BASE],
                   struct backup_sets **out);

struct backup_sets *backup_sets_ref(struct backup_sets *s);
void backup_sets_unref(struct backup_sets *s); /* NULL is allowed */
static inline void backup_sets_unrefp(struct backup_sets **s)
{
    backup_sets_unref(*s);
}

uint64_t backup_sets_id(const struct backup_sets *s); /* never used again */
struct capture *backup_sets_capture(const struct backup_sets *s);

/* One of the sets, as long as s; db as above. Errors as madeset_new, in status.json; -EINTR. */
int backup_sets_get(struct request *r, struct backup_sets *s, enum madeset_format format,
                    const char *db, struct madeset **out);

/* A file of them was opened, or closed. */
void backup_sets_opened(struct backup_sets *s);
void backup_sets_closed(struct backup_sets *s);

/* A set that was read. */
struct backup_read {
    int64_t took_ns; /* since its capture was first asked for */
    uint64_t bytes;
    const char *lacks; /* what it leaves out, or NULL */
};

/* All of file i has been read. true: that was the last of the files of a set of everything. */
bool backup_sets_was_read(struct backup_sets *s, struct madeset *set, size_t i,
                          struct backup_read *out);

/* Adds what the newest sets leave out, after the name of their folder. -ENOMEM. */
int backup_sets_lacks(struct backups *b, struct report_texts *out);

/* Gives the caller's errno for -errno r, and reports the reason in status.json unless the caller is
 * to blame. */
int backup_sets_failed(struct fs *fs, const char *what, int r, const struct err *e);

#endif
