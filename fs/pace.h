/* SPDX-License-Identifier: MIT */
/*
 * Giving way to influxd while snapshots and dumps are read: -o pace=.
 *
 * The daemon's niceness (detach.c; none with PACE_OFF) does not slow a reader, which competes with influxd at full
 * priority and costs as much as the daemon. But a reader waits for its bytes, so all readers
 * together are limited to a rate:
 *
 *   PACE_OFF    never
 *   PACE_AUTO   PACE_AUTO_BYTES a second for each processor, while an influxd of this machine is
 *               busy and more threads want to run than there are processors
 *   a number    that many bytes a second, always
 *
 * No reader is ever stopped. A megabyte costs daemon and reader 1.5 to 2 ms, so PACE_AUTO_BYTES are
 * about 3 % of a processor. Safe in any thread.
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

/* Looks for influxds; called when a file is opened. An influxd that starts later is not seen. */
void pace_look(struct pace *p);

/* Returns when n more bytes may go to a reader, or soon after interrupted(ctx), polled now and
 * then, is true. Hold no lock. */
void pace_wait(struct pace *p, size_t n, bool (*interrupted)(void *ctx), void *ctx);

/* The limit for readers, now or a second ago, in bytes a second; 0: none. */
uint64_t pace_held_to(struct pace *p);

/* The arithmetic: when n bytes may go out, given that earlier ones have had their time at *next_ns,
 * which moves on. The first bytes after a pause go out at once. */
int64_t pace_turn(int64_t *next_ns, int64_t now_ns, size_t n, uint64_t bytes_per_second);

#endif
