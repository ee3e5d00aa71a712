/* SPDX-License-Identifier: MIT */
/* What stands at a path below the data or WAL folder, where a folder is looked for. */
#ifndef INFLUXFS_SNAPSHOT_PLACE_H
#define INFLUXFS_SNAPSHOT_PLACE_H

#include <stddef.h>

enum place_kind {
    PLACE_NOTHING, /* no such name */
    PLACE_FOLDER,
    PLACE_LINK,  /* a symbolic link */
    PLACE_OTHER, /* a file, a fifo, … */
};

/* What the first component is that is no folder, links unfollowed: *len is the length of the path
 * up to its end. Of a path of folders: the last one. -EACCES, -EIO: it is not known, *len is set.
 */
int place_look(int root, const char *path, enum place_kind *kind, size_t *len);

/* The target of the first symbolic link on the way, which the caller frees; NULL: there is none, or
 * out of memory. Control bytes in it are shown as '?'. */
char *place_link(int root, const char *path);

#endif
