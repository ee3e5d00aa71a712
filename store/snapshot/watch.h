/* SPDX-License-Identifier: MIT */
/*
 * Watched folders: whether the files in a folder have been touched (written to, truncated, given
 * another owner, mode or time) since they were last looked at. A folder's own time does not tell
 * that, and to look at each file again costs a system call for each.
 *
 * By inotify(7), which misses nothing that went through this machine's kernel: an event is there
 * before the call that caused it returns. It cannot tell what another machine does on a network disk,
 * so only folders on local file systems are watched. What it does not see: a file that is changed
 * under another name of it (a hard link) or through a memory mapping. Each watch ends with its first
 * event, so that a busy folder costs no more than one, and begins again when the folder is looked at.
 *
 * Used by one thread at a time.
 */
#ifndef INFLUXFS_SNAPSHOT_WATCH_H
#define INFLUXFS_SNAPSHOT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watches;

/* A watched folder as it was at one look; {0}: not watched. */
struct watch {
    int id;
    uint64_t serial;
};

/* NULL: out of memory. Without inotify no folder is ever watched. */
struct watches *watches_new(void);
void watches_free(struct watches *w); /* NULL is allowed */

/* Watches the folder open at fd from now on; {0} if that is not possible: it lies on a file system
 * that others can change, there are too many watches (fs.inotify.max_user_watches). */
struct watch watch_begin(struct watches *w, int fd);

/* Learns what has happened until now. */
void watch_look(struct watches *w);

/* Whether nothing had touched its files from watch_begin to the last watch_look; false also if unsure. */
bool watch_is_quiet(const struct watches *w, const struct watch *of);

#endif
