/* SPDX-License-Identifier: MIT */
/* Which files and folders influxd makes in a store: what may go with a store that is given up.
 * Anything else there belongs to others. */
#ifndef INFLUXFS_INFLUX_WRITTEN_H
#define INFLUXFS_INFLUX_WRITTEN_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether influxd makes something of this name and type at this place. path is as in a snapshot:
 * "meta", "data/DB/RP/1/fields.idx". Unlike names.h it knows what influxd derives, writes for a
 * while, or sets aside (*.tmp, *.bad), too. A symbolic link counts as what it may stand for. Pure.
 */
bool written_by_influxd(const char *path, mode_t type);

/* The same, given a path below a series file's folder (DATA/DB/_series), "" for itself. */
bool written_in_series(const char *path, mode_t type);

#endif
