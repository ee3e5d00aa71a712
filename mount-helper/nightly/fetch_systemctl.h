/* SPDX-License-Identifier: MIT */
/* systemctl(1), asked and told. */
#ifndef INFLUXFS_NIGHTLY_FETCH_SYSTEMCTL_H
#define INFLUXFS_NIGHTLY_FETCH_SYSTEMCTL_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether systemd is at work here (sd_booted(3)), so that more can be asked than a command's exit code. */
bool systemctl_here(void);

/* Whether it is the name of one unit: systemctl takes patterns and options too. */
bool systemctl_is_unit(const char *unit);

/* Runs `systemctl VERB [OPTION] UNIT` to its end (option: NULL for none). -EIO: it failed; others from the
 * system. Once this program was told to stop, a start is not waited for longer than three seconds. */
int systemctl_tell(const char *verb, const char *option, const char *unit, struct err *e);

/* What it prints: the beginning, NUL-terminated. Its exit code, which says no more than what it prints; or
 * as systemctl_tell. */
int systemctl_ask(const char *verb, const char *option, const char *unit, char *out, size_t room,
                  struct err *e);

#endif
