/* SPDX-License-Identifier: MIT */
/* The units of systemd that influxfs-fetch has stopped and not started again, as the state folder remembers
 * them in stopped.json while they are down:
 *
 *   {"units":["influxdb.service"],"since":TIME,"since_ns":N}
 *
 * Where no fetch is at work, one was killed, or could not start them. */
#ifndef INFLUXFS_PROGRAM_STOPPED_H
#define INFLUXFS_PROGRAM_STOPPED_H

#include "store/base/err.h"

#include <stdint.h>
#include <stdlib.h>

struct stopped {
    char **units; /* in the order in which they are to be started */
    size_t n;
    int64_t since_ns; /* since 1970 */
};

/* None without a file. The caller clears *out, which is empty after an error: -EBADMSG, the file is
 * damaged; others from the system. */
int stopped_look(const char *state, struct stopped *out, struct err *e);
void stopped_clear(struct stopped *s);

/* -ENOMEM. A unit that is there already is not added. */
int stopped_add(struct stopped *s, const char *unit);

/* Remembers just these, durably; of none the file is removed. Errors as of statefile.h. */
int stopped_note(const char *state, const struct stopped *s, struct err *e);

#endif
