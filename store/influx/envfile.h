/* SPDX-License-Identifier: MIT */
/*
 * Environment files, as systemd 252 reads them for EnvironmentFile= of a unit (systemd.exec(5)).
 *
 * NAME=VALUE, where blanks around both do not count. A value may begin with parts in quotes, which
 * may go over lines; what follows them goes to its end, quotes included. A backslash takes the
 * meaning of the next character, or joins lines: not within '', and within "" only before one of
 * "\`$ and at the end of a line. Lines that begin with # or ; are comments, which a backslash at
 * their end continues. Other lines, and names that are none ("export A"), count for nothing.
 */
#ifndef INFLUXFS_INFLUX_ENVFILE_H
#define INFLUXFS_INFLUX_ENVFILE_H

#include "store/base/err.h"

#include <stddef.h>

/* Calls fn for each variable, in the order of the file; the last value of a name counts. Errors name
 * the file `name`. -EINVAL: a byte 0, or a value or name that is not UTF-8, for which systemd
 * ignores the whole file, with all that fn was told. -ENOMEM. What fn returns if that is not 0. */
int envfile_read(const char *text, size_t len, const char *name,
                 int (*fn)(void *arg, const char *variable, const char *value), void *arg,
                 struct err *e);

#endif
