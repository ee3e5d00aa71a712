/* SPDX-License-Identifier: MIT */
/*
 * The manifest file of a cut (cutlist.h), read in pieces, from any path on: what stands for a million
 * files is never in memory at once. A reader is used by one thread.
 */
#ifndef INFLUXFS_CHAIN_CUTFILE_H
#define INFLUXFS_CHAIN_CUTFILE_H

#include "store/chain/cut_line.h"

struct cutfile;

/* Opens dirfd/name. sealed: the file has been checked since it was last written, else its seal is
 * checked now, which reads all of it. Errors as cutlist_read. The caller owes a cutfile_close. */
int cutfile_open(int dirfd, const char *name, bool sealed, struct cutfile **out, struct err *e);
void cutfile_close(struct cutfile *f); /* NULL is allowed */
static inline void cutfile_closep(struct cutfile **f)
{
    cutfile_close(*f);
}

/* The file or folder at hand, at first the first one; valid until the next call. NULL: the end. */
const struct cut_entry *cutfile_entry(const struct cutfile *f);

/* Goes to the next one; or to the first one, from here on, that is not before the path; or that is
 * neither before it nor below it nor it itself. -EBADMSG, with a message; -EIO and others. */
int cutfile_next(struct cutfile *f, struct err *e);
int cutfile_seek(struct cutfile *f, const char *path, struct err *e);
int cutfile_skip(struct cutfile *f, const char *folder, struct err *e);

/* Whether it says that this file or folder of its parent has gone. Paths must rise from call to call.
 * 1, 0, or an error as above. */
int cutfile_removes(struct cutfile *f, const char *path, bool folder, struct err *e);

#endif
