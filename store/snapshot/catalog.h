/* SPDX-License-Identifier: MIT */
/*
 * The catalogue: what is remembered of a store from one capture to the next.
 *
 * One LMDB environment (catalog.mdb in the state folder) holds the store's change counter; for
 * each file its size, time, the counter's value when it last changed and, once it has been read,
 * its SHA-256; and the record of the newest state's first capture, so that an unchanged store
 * gives the same bytes again, after a remount too. Several processes may have it open.
 *
 * It also remembers what was found in the cuts (store/chain): checksums of retained files, and
 * sizes.
 *
 * Without a writable state folder the catalogue lives in memory and ends with the process.
 *
 * LMDB has no page checksums, and a file that is too short raises SIGBUS when read: the size is
 * checked at open, and a damaged catalogue is set aside as catalog.mdb.damaged and begun anew.
 * It must not lie on a network file system. The environment is open only while a function works,
 * under a flock(2) of the state folder, so that its pages do not count as memory of the process.
 * Functions are safe in any thread. LMDB's codes come back as -errno.
 */
#ifndef INFLUXFS_SNAPSHOT_CATALOG_H
#define INFLUXFS_SNAPSHOT_CATALOG_H

#include "store/base/err.h"
#include "store/base/sha256.h"

#include <stdbool.h>
#include <stddef.h>

struct catalog;

#define CATALOG_ID_HEX 32
#define CATALOG_HOST 64

/* A state of the store, as first captured. */
struct catalog_record {
    char id[CATALOG_ID_HEX + 1]; /* of this state; hexadecimal */
    char host[CATALOG_HOST + 1]; /* where it was captured */
    int64_t created_ns;          /* when, since 1970; rises from state to state */
    uint64_t index;              /* the change counter; rises from state to state */
    int64_t skew_ns;             /* of that capture */
    int64_t wall_ns;             /* what the clock said: created_ns, or less if it was set back */
};

struct catalog_file {
    const char *path; /* "data/DB/RP/ID/NAME" */
    uint64_t ino;
    uint64_t size; /* in the snapshot: the cut, for a WAL segment */
    int64_t mtime_ns;
    uint64_t index; /* the counter's value when the file last changed */
    bool have_sum;
    uint8_t sum[SHA256_BYTES];
    bool damaged; /* a TSM file that is not whole */
};

/* How the catalogue sees the files of a capture: gives file i (path, ino, size, mtime_ns, index if
 * it is known from an earlier capture, else 0), and takes what is known of it (index, have_sum,
 * sum, damaged). path need only live until the next call. */
struct catalog_files {
    size_t n;
    void (*get)(void *ctx, size_t i, struct catalog_file *f);
    void (*put)(void *ctx, size_t i, const struct catalog_file *f);
    void *ctx;
};

/* Opens dir/catalog.mdb, making it if need be; dir NULL: in memory. On success *note says in words
 * what was found wrong and mended, or is empty. */
int catalog_open(const char *dir, struct catalog **out, struct err *note, struct err *e);
void catalog_close(struct catalog *c);

/* Why the file does not serve just now (a full disk), in words, or empty: until it does again the
 * catalogue goes on in memory. */
void catalog_trouble(struct catalog *c, struct err *out);

/* Makes the captured state the newest one. If digest is that of the newest state known, *rec is its
 * record; otherwise the counter rises, files that are new or changed get its value, files that are
 * gone are forgotten, and *rec is the new record, made of now_ns, host and skew_ns, durable on
 * return. Either way every file gets its index and its sum, if known. earlier is the digest of the
 * capture that known indexes come from, or NULL: they are believed if that is the newest state. */
int catalog_settle(struct catalog *c, const uint8_t digest[SHA256_BYTES], const uint8_t *earlier,
                   const struct catalog_files *view, const char *host, int64_t now_ns,
                   int64_t skew_ns, struct catalog_record *rec, struct err *e);

/* Whether it knows no state at all: it is new, or had to be begun anew. */
bool catalog_is_new(struct catalog *c);

/* Begins a new one with what a cut tells: rec is the record of its state, the view gives its files
 * with index and sum. Later indexes rise from there. */
int catalog_seed(struct catalog *c, const struct catalog_record *rec,
                 const struct catalog_files *view, struct err *e);

/* Remembers the sums that the view's files have now; files that changed meanwhile are passed
 * over. */
int catalog_put_sums(struct catalog *c, const struct catalog_files *view, struct err *e);

/* A file that a cut retains, by the numbers of its place, and its sum. */
struct catalog_retained {
    uint64_t serial;
    uint32_t seq;
    bool have_sum;
    uint8_t sum[SHA256_BYTES];
};

/* Fills in the sums that are known, where have_sum is false; remembers those where it is true. */
int catalog_get_retained(struct catalog *c, struct catalog_retained *files, size_t n,
                         struct err *e);
int catalog_put_retained(struct catalog *c, const struct catalog_retained *files, size_t n,
                         struct err *e);
/* Forgets the retained files with serials up to last for which keep says no. */
int catalog_forget_retained(struct catalog *c, uint64_t last,
                            bool (*keep)(void *ctx, uint64_t serial, uint32_t seq), void *ctx,
                            struct err *e);

/* What somebody remembers of a file of the store (path as in catalog_file) for as long as it does
 * not change: some bytes, which the caller of catalog_get_notes frees. It is a help and no more:
 * when there are too many notes all are forgotten. */
#define CATALOG_STAMP 8
struct catalog_note {
    const char *path;
    uint64_t stamp[CATALOG_STAMP]; /* what the bytes depend on; the first is the file's index */
    bool known;                    /* the bytes were remembered */
    void *bytes;                   /* NULL: there are none */
    size_t n;
};

/* Fills in known, bytes and n where something is remembered of a file with this stamp. */
int catalog_get_notes(struct catalog *c, struct catalog_note *notes, size_t n, struct err *e);
/* Remembers those with bytes that are not known yet, of files that have this index still. */
int catalog_put_notes(struct catalog *c, const struct catalog_note *notes, size_t n, struct err *e);

/* The size of a text that is made from the store (store/export/dump.h), by what it is made of.
 * Those asked for last are remembered, some hundred thousand. -ENOENT: it is not known. */
int catalog_get_dump(struct catalog *c, const uint8_t digest[SHA256_BYTES], uint64_t *size,
                     struct err *e);
int catalog_put_dump(struct catalog *c, const uint8_t digest[SHA256_BYTES], uint64_t size,
                     struct err *e);

/* A number under a name of at most 255 bytes. -ENOENT: none is known. */
int catalog_get_size(struct catalog *c, const char *name, uint64_t *size, struct err *e);
int catalog_put_size(struct catalog *c, const char *name, uint64_t size, struct err *e);
int catalog_forget_sizes(struct catalog *c, struct err *e);

#endif
