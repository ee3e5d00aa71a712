/* SPDX-License-Identifier: MIT */
/*
 * A folder of its own on the store's disk, for the files of a set that arrive one by one.
 *
 *   STATE/sets/HEX16.new/…               in the state folder, if that is on the disk of the data
 *   DATA.sets/…, DATA/.influxfs/sets/…   else, as a side folder (target.h)
 *
 * All that is in it goes with it: it is private, and nobody else has a reason to look there. What a
 * killed process left goes when a session is opened.
 */
#ifndef INFLUXFS_RESTORE_SPOOL_FOLDER_H
#define INFLUXFS_RESTORE_SPOOL_FOLDER_H

#include "store/base/err.h"
#include "store/restore/target.h"

struct spool_folder;

/* state: the state folder, borrowed until spool_folder_free; -1: there is none. The layout of the
 * targets must be known; missing parents are made. -ENOSPC and others, with a message. */
int spool_folder_new(int state, struct targets *t, struct spool_folder **out, struct err *e);

/* Its descriptor, which the folder keeps. */
int spool_folder_fd(const struct spool_folder *f);

bool spool_folder_is_inside(const struct spool_folder *f); /* the data folder */

/* Removes it, with all files. NULL is allowed. */
void spool_folder_free(struct spool_folder *f);

/* Removes those whose process has gone. *said: a message if there were any, else empty. */
void spool_folders_tidy(int state, const struct targets *t, struct err *said);

#endif
