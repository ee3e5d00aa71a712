/* SPDX-License-Identifier: MIT */
/*
 * Giving way to a busy influxd while a snapshot is read.
 *
 * The daemon's own niceness (detach.h) does not slow its reader, who competes with influxd at full
 * priority and costs as much as the daemon does. But he waits for what he reads. So while an
 * influxd of this machine is at work and more threads want to run than there are processors, all
 * reads together are held to PACE_BYTES a second for each processor: a tenth of the processors, for
 * daemon and reader. In all other cases nothing is held back.
 *
 * Safe in any thread.
 */
#ifndef INFLUXFS_FS_PACE_H
#define INFLUXFS_FS_PACE_H

#include <stddef.h>

#define PACE_BYTES 32000000

struct pace;

struct pace *pace_new(void); /* NULL: no memory */
void pace_free(struct pace *p);

/* Looks which influxds there are. Told when a reader begins; one that starts later is not seen. */
void pace_look(struct pace *p);

/* Returns when n more bytes may be given to a reader: mostly at once, at the latest after a fifth
 * of a second. Hold no lock. */
void pace_wait(struct pace *p, size_t n);

#endif
