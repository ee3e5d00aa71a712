/* SPDX-License-Identifier: MIT */
/* The files and folders that influxd makes in a store: these may be removed with an abandoned
 * store. Other files belong to others. */
#ifndef INFLUXFS_INFLUX_WRITTEN_H
#define INFLUXFS_INFLUX_WRITTEN_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether influxd makes entries of this name and type at this place. path is as in a snapshot:
 * "meta", "data/DB/RP/1/fields.idx". Unlike names.h this includes derived, temporary and set-aside
 * files (*.tmp, *.bad). A symbolic link counts as its possible target. Pure. */
bool written_by_influxd(const char *path, mode_t type);

/* The same, given a path below a series file's folder (DATA/DB/_series), "" for itself. */
bool written_in_series(const char *path, mode_t type);

/* Whether influxd may change the bytes of such a file, rather than put another one in its place: it
 * appends to WAL segments, series files, index logs (*.tsl) and fields.idxl, and writes MANIFEST
 * anew. path is as in a snapshot; true also for some that it does not change. Pure. */
bool written_in_place(const char *path);

#endif
