/* SPDX-License-Identifier: MIT */
/*
 * A set that `influxd backup` wrote, read as a snapshot: a folder of files in, the tar of a
 * snapshot out (influxfs-snapshot(5)), which an upload takes as any other.
 *
 *   legacy     meta.NN, DB.RP.NNNNN.NN        (0.13 to 1.12; NN from 00, one more for each run)
 *   portable   TIME.manifest, TIME.meta, TIME.sID.tar.gz                     (1.5 and later)
 *
 * A folder may hold several runs. Of a shard, the files of all runs count, in their order: influxd
 * never changes a TSM file, so one that comes again is the same one, and the newest tombstone of a
 * file knows what the older ones do. Where a run with times (-start, -end) holds a part of a file
 * under the file's name, all parts count. The metastore is the newest run's. A file that influxd
 * compacted away, or whose points it deleted, between two runs is in the older one and comes back;
 * the format cannot tell.
 *
 * Everything is untrusted: names, links, sizes, manifests, metastores, the archives and the TSM
 * files in them are checked before the first byte of the snapshot is given out. Functions return
 * -errno with a message that names the file. One thread at a time uses a struct set.
 */
#ifndef INFLUXFS_SETS_SET_H
#define INFLUXFS_SETS_SET_H

#include "store/base/err.h"
#include "store/influx/selection.h"
#include "store/snapshot/manifest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct set;

struct set_options {
    bool unite; /* also shards that only an older metastore of the set knows */

    /* What will be taken of the snapshot: nothing else need be complete. NULL: all. */
    const struct selection *part;

    /* All may be NULL. stop: -errno to abandon the work with. file: an archive is read next;
     * progress: so many more bytes of the set's files were. */
    int (*stop)(void *arg);
    void (*file)(void *arg, const char *name, uint64_t size);
    void (*progress)(void *arg, uint64_t n);
    void *arg;
};

/* Reads and judges all files of the set in the folder, whose descriptor stays the caller's and must
 * stay open as long as the set. name: of the folder, for messages. -EINVAL: no set, or not one that
 * can be restored; -EBADMSG: damaged, incomplete or hostile; what `stop` returned; others
 * from the system. */
int set_open(int folder, const char *name, const struct set_options *o, struct set **out,
             struct err *e);
void set_free(struct set *s); /* NULL is allowed */
static inline void set_freep(struct set **s)
{
    set_free(*s);
}

/* What the snapshot holds, as its manifest says; lives as long as the set. Its kind is
 * MANIFEST_DATABASE if the set does not hold all of the server: some databases only, or no users, as
 * those that influxfs writes. left_out names the shards
 * that only an older metastore knows (OMITTED_UNKNOWN), unless they were asked for. */
const struct manifest *set_manifest(const struct set *s);

/* The bytes of its meta.db; as long. */
const void *set_meta(const struct set *s, size_t *n);

/* What an operator should know, a line each: how many runs, whether it takes the place of a whole
 * store, what `influxd restore` would lose, what may come back. warns: points are
 * lacking that one would expect. */
size_t set_notes(const struct set *s);
const char *set_note(const struct set *s, size_t i, bool *warns);

/* The tar of the snapshot, in order. Its size is known beforehand. set_next: the next bytes,
 * unchanged until the next call: their number, 0 at the end; -EBADMSG if a file of the set has
 * changed since set_open. set_rewind: from the start again. */
uint64_t set_size(const struct set *s);
ssize_t set_next(struct set *s, const void **block, struct err *e);
void set_rewind(struct set *s);

/* Names and folders */

enum set_name {
    SET_NO_NAME, /* of no file of a set */
    SET_LEGACY,
    SET_PORTABLE,
};

/* Whether a file of that name (one component) belongs to a set. Pure. The names of legacy sets are
 * so general that only a number of five or more digits before the last two tells them. */
enum set_name set_name_kind(const char *name);

/* The kind of set in a folder, by the names in it: SET_NO_NAME if there is none, or a base.tar or a
 * number. -errno. */
int set_folder_kind(int folder, enum set_name *kind);

/* Whether the portable set in the folder is complete: it has a manifest, and each of its manifests
 * and each file that these name is there, as large as the manifest says by the end of its gzip
 * stream. Only manifests, metastores and the ends of files are read. If not, the text of `missing`,
 * which may be NULL, is the name of a file that is not there: no need to ask again before that one
 * has come. -errno of reading. */
int set_is_complete(int folder, bool *complete, struct err *missing);

/* A set as a tar: of the folder's files, with or without a leading folder, compressed or not. */

/* Whether a tar that begins with these n bytes, or is them (all), is one of a set, by the name of its
 * first file: 1, 0, or -EAGAIN if more bytes are needed, at most SET_TAR_HEAD: lz4 has blocks of
 * 4 MiB. It counts as one, too, if it is damaged or hostile before there is such a file, but after
 * what no snapshot begins with: reading it says where. Pure. */
#define SET_TAR_HEAD ((size_t)8 << 20)
int set_tar_begins(const void *head, size_t n, bool all);

struct tar_input;

/* Writes the files of such a tar into an empty folder; strangers beside them are skipped. -EBADMSG:
 * damaged, a link, or a file that is there twice; -ENOSPC and others. */
int set_unpack_tar(const struct tar_input *in, int folder, struct err *e);

#endif
