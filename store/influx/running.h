/* SPDX-License-Identifier: MIT */
/*
 * Does any process use the store? influxd takes no lock, so /proc is searched.
 *
 * Other machines, sibling containers, and processes that start right after the answer are not seen.
 * Needs root, or influxd's user, to inspect influxd.
 *
 * The functions check every process but the caller's own, and may be called in any thread. A process
 * that cannot be looked into for 10 seconds holds the first look for so long (processes.h). They
 * open folders that a running influxd is configured for: do not hold a lock that a file system
 * needs to answer.
 */
#ifndef INFLUXFS_INFLUX_RUNNING_H
#define INFLUXFS_INFLUX_RUNNING_H

#include "store/base/err.h"
#include "store/influx/paths.h"

/* 0 if no process uses the store, -EBUSY if
 *   - an influxd (by its name or the file that it runs) holds a file or folder of the meta, data or
 *     wal tree open or mapped, or is configured for one of these folders (see server.h), or cannot
 *     be looked into; or
 *   - any other process has a file in there open for writing, or mapped shared and writable.
 * e then names the process and the file. Processes that only read (tail, rsync, another influxfs)
 * do not count, nor do zombies. Folders that are missing are fine; .influxfs at the top of a tree is
 * left out. The trees are walked only when some process holds files that could be in there.
 *
 * Other errors, with a message in e: /proc or a folder that cannot be read, -ENOMEM. */
int running_uses(const struct store_paths *p, struct err *e);

/* The same for what the store must not be in use for: of -EBUSY, e says what to do, too. */
int running_forbids(const struct store_paths *p, struct err *e);

/* -EINVAL, with both folders in e, if p->config is set and a running influxd has been started with
 * this same file but uses other folders, by its environment for example; else 0. An influxd that
 * uses just these folders, or that cannot be looked into, does not count as such.
 *
 * *seen, unless NULL, gets the folders that such an influxd uses, also on failure: all NULL if none
 * runs, or if it is in a container, where paths mean something else. The caller frees it. */
int running_mismatch(const struct store_paths *p, struct store_paths *seen, struct err *e);

#endif
