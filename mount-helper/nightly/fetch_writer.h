/* SPDX-License-Identifier: MIT */
/*
 * A file in a mount of influxfs, written by a process of its own.
 *
 * A program that is started while such a file is open would inherit it, and close it in the middle of
 * execve(2): the kernel then waits for the mount with that process's lock held, and the mount, which
 * looks through /proc for an influxd, waits for the lock.
 */
#ifndef INFLUXFS_NIGHTLY_FETCH_WRITER_H
#define INFLUXFS_NIGHTLY_FETCH_WRITER_H

#include <stdbool.h>
#include <stddef.h>

struct fetch_writer;

/* Opens the file in the new process, emptied; whether that worked is told by what follows. -errno: there
 * is no process. */
int fetch_writer_start(const char *path, struct fetch_writer **out);

/* -EPIPE: the file takes no more, as fetch_writer_end says; -EINTR: told to stop (snap_stopped). */
int fetch_writer_put(struct fetch_writer *w, const void *buf, size_t n);

/* Closes the file, and frees w. 0: it has taken all; -EINTR: told to stop before it had; or with what it
 * has failed. Not whole, or -EINTR: the file is unlinked before that, as it is if this program dies. */
int fetch_writer_end(struct fetch_writer *w, bool whole);

#endif
