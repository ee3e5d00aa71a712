/* SPDX-License-Identifier: MIT */
/*
 * st_ino, the number by which users and tools such as rsync, restic and find tell files apart. Each
 * node has a new id for the kernel (node.h), but a file keeps its st_ino, even after a remount.
 *
 * The upper four bits say where a file lies; the other sixty are its number there:
 *
 *   1, 2, 3  live/meta, live/data, live/wal: the inode number in the store's file system
 *   4        at/NAME/: a hash of a file's identity, or of a folder's cut and path
 *   5        dump/: a hash of the path, or of the query
 *   6        databases/: a hash of the database's name
 *   7        backup/: a hash of the path
 *   0        all else:
 *              from 1        the fixed files and folders, below
 *              from 2^16     what is copied into restore/, in order of arrival
 *              from 2^40     snapshots/N.tar, by the serial of the cut
 *              from 2^41     at/N.tar, likewise
 *              from 2^42     snapshots/now/NAME.tar, by a hash of the name
 *
 * Names that move from file to file keep their number: now.tar, base.tar, latest.tar.
 */
#ifndef INFLUXFS_FS_INO_H
#define INFLUXFS_FS_INO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    INO_ROOT = 1,
    INO_LIVE,
    INO_SNAPSHOTS,
    INO_RESTORE,
    INO_STATUS,
    INO_NOW,
    INO_RESTORE_LOG,
    INO_RESTORE_STATUS,
    INO_AT,
    INO_BASE,
    INO_LATEST,
    INO_DUMP,
    INO_NAMED_FOLDER,
    INO_MARKER,
    INO_METRICS,
    INO_PAGE,
    INO_RESTORE_AS,
    INO_RESTORE_MERGE,
    INO_RESTORE_OURS,
    INO_RESTORE_THEIRS,
    INO_DATABASES,
    INO_BACKUP,
    INO_UPLOADS = 1 << 16, /* the first of those in restore/ */
};
#define INO_NUMBERS ((ino_t)1 << 40)
#define INO_AT_TARS ((ino_t)1 << 41)
#define INO_NAMED ((ino_t)1 << 42)

/* The upper four bits; live/ has INO_IN_LIVE and the two after it. */
enum ino_place { INO_IN_LIVE = 1, INO_IN_VIEW = 4, INO_IN_DUMP, INO_IN_DATABASES, INO_IN_BACKUP };

/* FNV-1a of n bytes after what was hashed before (INO_HASH at first). */
#define INO_HASH UINT64_C(0xcbf29ce484222325)
uint64_t ino_hash(uint64_t hash, const void *p, size_t n);

/* A file of live/: root is 0, 1 or 2. Its own number is kept whole. */
static inline ino_t ino_live(ino_t own, unsigned root)
{
    return own | (ino_t)(INO_IN_LIVE + root) << 60;
}

static inline ino_t ino_hashed(enum ino_place place, uint64_t hash)
{
    return (hash & ((UINT64_C(1) << 60) - 1)) | (ino_t)place << 60;
}

static inline ino_t ino_named(const char *name, size_t n)
{
    return INO_NAMED | (ino_hash(INO_HASH, name, n) & (INO_NAMED - 1));
}

#endif
