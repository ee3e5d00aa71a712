/* SPDX-License-Identifier: MIT */
/*
 * The manifest file of a cut (cutlist.h), read in pieces, from any path on: what stands for a million
 * files is never in memory at once. A reader is used by one thread.
 */
#ifndef INFLUXFS_CHAIN_CUTSCAN_H
#define INFLUXFS_CHAIN_CUTSCAN_H

#include "store/chain/cut_line.h"

struct cutscan;

/* Opens dirfd/name. sealed: the file has been checked since it was last written, else its seal is
 * checked now, which reads all of it. Errors as cutlist_read. The caller owes a cutscan_close. */
int cutscan_open(int dirfd, const char *name, bool sealed, struct cutscan **out, struct err *e);
void cutscan_close(struct cutscan *f); /* NULL is allowed */
static inline void cutscan_closep(struct cutscan **f)
{
    cutscan_close(*f);
}

/* The file or folder at hand, at first the first one; valid until the next call. NULL: the end. */
const struct cut_entry *cutscan_entry(const struct cutscan *f);

/* Goes to the next one; or to the first one, from here on, that is not before the path; or that is
 * neither before it nor below it nor it itself. -EBADMSG, with a message; -EIO and others. */
int cutscan_next(struct cutscan *f, struct err *e);
int cutscan_seek(struct cutscan *f, const char *path, struct err *e);
int cutscan_skip(struct cutscan *f, const char *folder, struct err *e);

/* Goes to the first one of all that is not before the path, forward or back. Errors as above. */
int cutscan_restart(struct cutscan *f, const char *path, struct err *e);

/* Whether it says that this file or folder of its parent has gone. Paths must rise from call to call.
 * 1, 0, or an error as above. */
int cutscan_removes(struct cutscan *f, const char *path, bool folder, struct err *e);

/* The next of the files, or of the folders, of which it says so, for whoever asks for nothing else of
 * f; valid until the next call. NULL, without an error, at the end. */
int cutscan_next_removed(struct cutscan *f, bool folder, const char **path, struct err *e);

/* The next of the lines after all these, which say what was left out and which shards were links: may be
 * changed, and is valid until the next call. NULL, without an error, at the end. */
int cutscan_rest(struct cutscan *f, char **line, struct err *e);

#endif
