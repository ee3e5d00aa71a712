/* SPDX-License-Identifier: MIT */
/*
 * Open files beyond what RLIMIT_NOFILE allows.
 *
 * The limit holds for each table of descriptors, and a thread can have a table of its own
 * (unshare(2), CLONE_FILES). A keeper is a thread that does nothing but own such a table; any other
 * thread opens a kept file again through /proc/self/task/TID/fd, unlinked or not. Keepers are
 * started as they are needed. Functions are safe in any thread.
 */
#ifndef INFLUXFS_BASE_KEEPER_H
#define INFLUXFS_BASE_KEEPER_H

#include <stddef.h>

struct keepers;
struct keeper;

/* Where a kept file is. */
struct kept {
    struct keeper *keeper;
    int fd;
};

/* Raises the limit as far as it may be, but not beyond a million. At the start of a process. */
void keepers_raise_limit(void);

struct keepers *keepers_new(void);    /* NULL when out of memory */
void keepers_free(struct keepers *k); /* closes what is still kept */

/* Has n descriptors kept, and closes them here: *out tells where each is. Everything or nothing;
 * -ENFILE when no more can be kept. */
int keepers_take(struct keepers *k, const int *fds, size_t n, struct kept *out);

/* Opens a kept file for reading. The descriptor is the caller's; or -errno. */
int kept_open(const struct kept *f);

/* Lets go of it. Returns at once; the keeper closes it soon. */
void kept_drop(const struct kept *f);

#endif
