/* SPDX-License-Identifier: MIT */
/*
 * Giving way to influxd while snapshots and dumps are read: -o pace=.
 *
 * The daemon's own niceness (detach.c) does not slow a reader, which competes with influxd at full
 * priority and costs as much as the daemon does. But a reader blocks on what it reads. So all
 * readers together are held to a number of bytes a second:
 *
 *   PACE_OFF    never
 *   PACE_AUTO   to PACE_AUTO_BYTES for each processor, while an influxd of this machine is at work
 *               and more threads want to run than there are processors
 *   a number    always, to that
 *
 * No reader is ever stopped: a snapshot of any size is read in the end. A megabyte costs daemon and
 * reader 1.5 to 2 ms, so that PACE_AUTO_BYTES are about 3 % of a processor.
 * Functions are safe in any thread.
 */
#ifndef INFLUXFS_FS_PACE_H
#define INFLUXFS_FS_PACE_H

#include "store/program/values.h" /* PACE_OFF, PACE_AUTO */

#include <stddef.h>

#define PACE_AUTO_BYTES 16000000

struct pace;

/* NULL: no memory. */
struct pace *pace_new(uint64_t setting);
void pace_free(struct pace *p);

/* Looks which influxds there are. Called when a file is opened; an influxd that starts later is not
 * seen. */
void pace_look(struct pace *p);

/* Returns when n more bytes may be given to a reader, or soon after interrupted(ctx), which is
 * asked now and then, is true. Hold no lock. */
void pace_wait(struct pace *p, size_t n, bool (*interrupted)(void *ctx), void *ctx);

/* What readers are held to, or were a second ago, in bytes a second; 0: to nothing. */
uint64_t pace_held_to(struct pace *p);

/* The arithmetic: when n bytes may be given if what was given before has had its time at *next_ns,
 * which moves on. The first bytes after a pause are given at once. */
int64_t pace_turn(int64_t *next_ns, int64_t now_ns, size_t n, uint64_t bytes_per_second);

#endif
