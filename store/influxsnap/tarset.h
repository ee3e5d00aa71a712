/* SPDX-License-Identifier: MIT */
/*
 * Which snapshots the arguments of a command name, and which chains they form.
 *
 *   PATH      the file, and its numbers PATH.0, PATH.1, … where the command wants them
 *   a folder  base.tar, 0.tar, 1.tar, … in it, compressed or not
 *
 * Only manifests are read. Each argument is a chain of its own, except that numbers without their
 * full snapshot join the argument that has it. A chain's members are adjacent in the set. The full
 * snapshot for the greatest number counts, with the numbers above it; older ones are superseded.
 */
#ifndef INFLUXFS_INFLUXSNAP_TARSET_H
#define INFLUXFS_INFLUXSNAP_TARSET_H

#include "store/base/err.h"
#include "store/snapshot/manifest.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tarset_file {
    char *path;
    uint64_t size;   /* of the file; 0: not known */
    size_t argument; /* that it came with, or belongs to */
    dev_t dev;
    ino_t ino;
    struct manifest *m; /* NULL: it could not be read, */
    int code;           /* for this reason */
    struct err why;
    bool superseded; /* set by tarset_check */
};

struct tarset {
    struct tarset_file
        *at; /* by argument; of each, those that cannot be read first, then by chain */
    size_t n;
};

/* numbers: PATH.0, PATH.1, … belong to a PATH. The caller releases *out with tarset_clear.
 * Errors such as -ENOENT for a given path that is missing; a file that is not a snapshot is not
 * an error. */
int tarset_gather(char *const *paths, size_t n, bool numbers, struct tarset *out, struct err *e);
/* Only PATH.0, PATH.1, …, if there are any. */
int tarset_numbers(const char *path, struct tarset *out, struct err *e);

/* Manifests that came without their files, as one argument. Takes them over, also on failure. */
struct tarset_given {
    const char *name; /* which becomes the path; NULL: "manifest 1" and so on */
    struct manifest *m;
    uint64_t size;
};
int tarset_of(const struct tarset_given *given, size_t n, struct tarset *out, struct err *e);
void tarset_clear(struct tarset *s);

/* The n manifests of those that are not superseded, in a list with a place for one more, which the
 * caller frees; NULL when out of memory. */
const struct manifest **tarset_manifests(const struct tarset *s, size_t *n);

/* The bytes of all files that are not superseded. */
uint64_t tarset_bytes(const struct tarset *s);

/* The end, in the set, of the chain that begins at `first`. */
size_t tarset_chain_end(const struct tarset *s, size_t first);

/* Whether the chain [first, end) is whole; marks superseded files. -ESTALE, with a message: the
 * full snapshot or a number is missing, one builds on another state, or two have the same
 * number. */
int tarset_check(struct tarset *s, size_t first, size_t end, struct err *e);

/* Whether all files of a set that is not empty are one such chain, on which a number can build.
 * -ESTALE, or -EINVAL for one of databases that it does not name; or why a file cannot be read. */
int tarset_one_chain(struct tarset *s, struct err *e);

#endif
