/* SPDX-License-Identifier: MIT */
/*
 * A folder of the store as it was when it was listed, and whether it is so still: quicker to tell
 * than by listing it again.
 *
 * A folder's time rises with every name that is made or removed in it. What was changed within the
 * clock's tick before it was looked at is not seen by that, and counts as changed. Functions return
 * -errno, and are safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_FOLDER_SEEN_H
#define INFLUXFS_SNAPSHOT_FOLDER_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Which symbolic links are followed on the way to a folder. influxd opens whatever a shard's name
 * in a policy's folder leads to, and anything at all in the WAL. */
enum folder_follow { FOLLOW_NONE, FOLLOW_LAST, FOLLOW_ALL };

/* A folder as it was when it was listed: what tells quickly that nothing changed since. */
struct folder_seen {
    struct stat st;
    int64_t seen_ns; /* wall clock just before st was taken */
    enum folder_follow follow;
};

/* Whether a folder that could not be opened with result r is not there. */
bool folder_vanished(int r);

/* Opens root/path, with the flags of open(2) and O_DIRECTORY. The descriptor is the caller's. */
int folder_open_by(int root, const char *path, enum folder_follow follow, int flags);

/* Opens root/path for listing and takes its stat. The descriptor is the caller's. */
int folder_open(int root, const char *path, enum folder_follow follow, struct folder_seen *out);

/* Whether the folder is as it was when it was listed; false as well if that is not sure. */
bool folder_same(int root, const char *path, const struct folder_seen *f);

/* What stands at a path below the data or WAL folder, where a folder is looked for. */
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
