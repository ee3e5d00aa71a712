/* SPDX-License-Identifier: MIT */
/* Reads the tar of a snapshot, compressed or not: its beginning only, or every byte. Errors name
 * the file. -EINVAL: not a snapshot; -EBADMSG: damaged; -EINTR; others from the system. */
#ifndef INFLUXFS_INFLUXSNAP_TARLOOK_H
#define INFLUXFS_INFLUXSNAP_TARLOOK_H

#include "store/base/err.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/telling.h"
#include "store/snapshot/manifest.h"

#include <stddef.h>
#include <sys/types.h>

/* As open(2), for reading; "-" is stdin, and *path becomes its name for messages. */
int tar_open(const char **path);

/* The manifest, which the caller frees. Nothing after it is read. */
int tar_manifest(const char *path, struct manifest **out, struct err *e);

/* The bytes of meta/meta.db, which the tar must hold; nothing after it is read. The caller frees
 * *buf. */
int tar_meta(const char *path, char **buf, size_t *len, struct err *e);

/* The names of its folders, from the members' headers, for a tar whose manifest lacks them. The
 * caller frees each name, and the list. */
int tar_folders(const char *path, char ***names, size_t *n, struct err *e);

struct tar_counts {
    uint64_t files, bytes, tsm; /* TSM files among them */
};

/* Checks all that a restore checks, and the blocks of TSM files. path "-": stdin. A good snapshot
 * is added to `advise`. */
int tar_verify(const char *path, struct meter *meter, struct advise *advise, struct tar_counts *out,
               struct err *e);

/* Bytes that come from elsewhere than a file. */
struct tar_stream {
    const char *name; /* for messages */
    /* The next bytes, unchanged until the next call: their number, 0 at the end, or -errno with a
     * message that itself names what cannot be read; without one, it is about `name`. */
    ssize_t (*pull)(void *arg, const void **block, struct err *e);
    /* A TSM file that was damaged before it came into the snapshot, whose checksum is right, if all
     * of the snapshot proves good; the caller is told once for each, and may use the words only
     * then. */
    void (*damaged)(void *arg, const char *name, const char *words);
    void *arg;
    int fd; /* a file whose beginning are all bytes that were pulled, for reading; -1: none */
};

/* As tar_manifest: pulls little more than the manifest. */
int tar_manifest_stream(const struct tar_stream *in, struct manifest **out, struct err *e);

/* As tar_verify. The caller releases *m, if there is no error, with manifest_free. */
int tar_verify_stream(const struct tar_stream *in, struct meter *meter, struct advise *advise,
                      struct tar_counts *out, struct manifest **m, struct err *e);

#endif
