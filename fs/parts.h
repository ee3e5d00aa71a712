/* SPDX-License-Identifier: MIT */
/*
 * Parts: which process sees which capture of a database.
 *
 * What shows one database needs the files of that database alone (snapshots_part). A process keeps its
 * capture of a database as long as that of the store (instant.h), but together no more than PARTS_LOOKED_AT
 * files are held, or those of one database, only because somebody has looked at them: a list of all
 * databases with their sizes opens the files of one after the other.
 *
 * Where it costs little more, all databases are of one instant: in a store of no more files than
 * PARTS_TOGETHER, or an eighth of those that may be held, and for a process that has an instant of the
 * whole store. Then that is what a part is.
 *
 * Safe in any thread.
 */
#ifndef INFLUXFS_FS_PARTS_H
#define INFLUXFS_FS_PARTS_H

#include "fs/fs.h"
#include "fs/instant.h"

#define PARTS_LOOKED_AT 256
#define PARTS_TOGETHER 1024

struct parts;

struct parts *parts_new(struct fs *fs); /* NULL: out of memory */
void parts_free(struct parts *p);       /* once nothing is open; NULL is allowed */

/* A reference to the caller's instant of a database, by its name as influxd has it: at least its files
 * are in the capture, with the whole meta.db. db NULL: meta.db at least. The caller owes one instant_put.
 * Errors as now_instant, of `what` in status.json; that there is no such database is none. */
int parts_instant(struct request *r, const char *db, const char *what, struct instant **out);

/* The same, held while a file made of it is open, until instant_close. */
int parts_open(struct request *r, const char *db, const char *what, struct instant_hold **out);

/* Releases instants whose time is up or whose process has ended. */
void parts_expire(struct parts *p);
/* Another store is in the folders. */
void parts_restored(struct parts *p);

size_t parts_count(struct parts *p); /* captures of parts alone that are held */

#endif
