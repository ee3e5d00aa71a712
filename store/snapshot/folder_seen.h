/* SPDX-License-Identifier: MIT */
/*
 * A listed folder, and whether it is still the same: faster than listing it again.
 *
 * A folder's time rises when a name in it is made or removed. A change within the clock's tick
 * before the look is not visible in the time, so such a folder counts as changed; and so does one
 * that other machines can change, since their clocks and caches are not ours. Functions return
 * -errno, and are safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_FOLDER_SEEN_H
#define INFLUXFS_SNAPSHOT_FOLDER_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Which symbolic links are followed on the way to a folder. influxd follows a shard's name in a
 * policy's folder, and any link in the WAL. */
enum folder_follow { FOLLOW_NONE, FOLLOW_LAST, FOLLOW_ALL };

struct folder_seen {
    struct stat st;
    int64_t seen_ns; /* wall clock just before st was taken */
    enum folder_follow follow;
    bool is_remote; /* other machines, or programs, can change it without this kernel's knowledge */
};

/* Whether all that changes the folder or file open at fd goes through this kernel: not so on a
 * network disk, on FUSE, or in the layers of an overlay; false also if unknown. */
bool folder_is_local(int fd);

/* Whether result r of opening a folder means that it is missing. */
bool folder_vanished(int r);

/* Opens root/path, with the flags of open(2) and O_DIRECTORY. The caller owns the descriptor. */
int folder_open_by(int root, const char *path, enum folder_follow follow, int flags);

/* Opens root/path for listing and takes its stat. The caller owns the descriptor. */
int folder_open(int root, const char *path, enum folder_follow follow, struct folder_seen *out);

/* Whether the folder is unchanged since it was listed; false also if unsure. */
bool folder_same(int root, const char *path, const struct folder_seen *f);
/* The same by its times alone, wherever it lies: for one that could never be listed again. */
bool folder_same_times(int root, const char *path, const struct folder_seen *f);

/* What exists at a path below the data or WAL folder where a folder is expected. */
enum place_kind {
    PLACE_NOTHING, /* no such name */
    PLACE_FOLDER,
    PLACE_LINK,  /* a symbolic link */
    PLACE_OTHER, /* a file, a fifo, … */
};

/* The first component that is not a folder, with links not followed: *len is the length of the path
 * up to its end. If all are folders: the last one. -EACCES, -EIO: unknown, *len is set. */
int place_look(int root, const char *path, enum place_kind *kind, size_t *len);

/* The target of the first symbolic link on the way, which the caller frees; NULL: there is none, or
 * out of memory. Control bytes in it are shown as '?'. */
char *place_link(int root, const char *path);

#endif
