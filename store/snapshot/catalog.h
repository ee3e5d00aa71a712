/* SPDX-License-Identifier: MIT */
/*
 * The catalogue: what is remembered of a store from one capture to the next.
 *
 * One LMDB environment (catalog.mdb in the state folder) holds the store's change counter; for
 * each file its size, time, the counter's value when it last changed and, once it has been read,
 * its SHA-256; and the record of the newest state's first capture, so that an unchanged store
 * gives the same bytes again, after a remount too. Several processes may have it open.
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
    uint64_t size; /* in the snapshot: up to the WAL cut */
    int64_t mtime_ns;
    uint64_t index; /* the counter's value when the file last changed */
    bool have_sum;
    uint8_t sum[SHA256_BYTES];
    bool damaged; /* a TSM file or tombstone that is not whole */
};

/* The files of one folder among those of a capture. */
struct catalog_folder {
    const char *path; /* "data/DB/RP/ID" */
    size_t first, n;
    /* Nothing is asked of the files: they are the same as in the capture `earlier` (catalog_settle),
     * with their indexes; or, if n is 0, they are what is known of the folder, whatever `earlier` is. */
    bool known;
    /* Of a shard whose files were not listed: by which digest they were known. NULL: of others. If
     * another process has found another one since, the next look is to list them. */
    const uint8_t *digest;
};

/* A shard's files of data, and by what it is known later that they are the same (catalog_shards.c). */
struct catalog_shard {
    const char *path; /* "DB/RP/ID" */
    uint64_t dev, ino;
    int64_t mtime_ns, ctime_ns, seen_ns; /* of its folder; and when that was looked at */
    uint32_t mode, uid, gid;
    uint32_t has_index; /* whether it has a folder index/, and its attributes: */
    int64_t index_mtime_ns;
    uint32_t index_mode, index_uid, index_gid;
    uint32_t whole; /* none of the files is damaged or set aside, no link leads here */
    uint64_t files, bytes;
    uint64_t changed; /* the change counter when the digest last became another; the catalogue's */
    uint8_t digest[SHA256_BYTES];
};

/* How the catalogue sees the files of a capture: one function gives file i (path, ino, size,
 * mtime_ns, index from an earlier capture, else 0), the other takes what is known of it (index,
 * have_sum, sum, damaged). path need only live until the next call. What has no inode is a folder,
 * of which nothing is kept. */
struct catalog_files {
    size_t n;
    void (*get)(void *ctx, size_t i, struct catalog_file *f);
    void (*put)(void *ctx, size_t i, const struct catalog_file *f);
    void *ctx;
};

/* What else is told of a capture, so that what has not changed costs nothing. */
struct catalog_shape {
    const struct catalog_folder
        *folders; /* all; what they say of those without files is passed over */
    size_t nfolders;
    /* The shards that were listed; the others are as they were. Called after the files were told what is
     * known of them. false: nothing is to be remembered of this one. */
    bool (*shard)(void *ctx, size_t i, struct catalog_shard *out);
    size_t nshards;
    void *ctx;
};

/* Opens dir/catalog.mdb, making it if needed; dir NULL: in memory. On success *note says what was
 * repaired, or is empty. */
int catalog_open(const char *dir, struct catalog **out, struct err *note, struct err *e);
void catalog_close(struct catalog *c);

/* Says why the file is unusable now (for example a full disk), or is empty. Until the file works
 * again the catalogue continues in memory. */
void catalog_trouble(struct catalog *c, struct err *out);

/* Makes the captured state the newest one. If digest is that of the newest state known, *rec is its
 * record. Otherwise the counter rises, new or changed files get its value, vanished files are
 * forgotten, and *rec is the new record, of now_ns, host and skew_ns, durable on return. Either way
 * every file gets its index and its sum, if known. earlier is the digest of the capture that the
 * files' indexes come from, or NULL: they are used if that is the newest state. */
int catalog_settle(struct catalog *c, const uint8_t digest[SHA256_BYTES], const uint8_t *earlier,
                   const struct catalog_files *files, const char *host, int64_t now_ns,
                   int64_t skew_ns, struct catalog_record *rec, struct err *e);

/* A state that is to be settled, for catalog_settle_state: as catalog_settle, with a shape (NULL: the
 * catalogue finds out itself, and files with an index count as known). */
struct catalog_given {
    const uint8_t *digest, *earlier;
    const struct catalog_files *files;
    const struct catalog_shape *shape;
    const char *host;
    int64_t now_ns, skew_ns;
};
int catalog_settle_state(struct catalog *c, const struct catalog_given *given,
                         struct catalog_record *rec, struct err *e);

/* Takes in a part of the store by itself: the folders and shards of the shape, whose new or changed files
 * get an index above all that there were. *rec is a record of its own, the same again while the part with
 * this key keeps its digest; the newest state stays what it is. given.earlier counts for nothing. */
int catalog_settle_piece(struct catalog *c, const uint8_t key[SHA256_BYTES],
                         const struct catalog_given *given, struct catalog_record *rec,
                         struct err *e);

/* Takes in a piece of a state that is settled later: the folders and shards of the shape, whose new or
 * changed files get the index that this state will have. */
int catalog_prepare(struct catalog *c, const struct catalog_files *files,
                    const struct catalog_shape *shape, struct err *e);

/* Whether it knows no state at all: it is new, or had to be begun anew. */
bool catalog_is_new(struct catalog *c);

/* Begins a new one from a cut: rec is the record of its state, files have index and sum. Later
 * indexes rise from there. */
int catalog_seed(struct catalog *c, const struct catalog_record *rec,
                 const struct catalog_files *files, struct err *e);

/* What is known of shards, by their paths. One that is not known has a digest of zeros, and 0 in all
 * else. */
int catalog_get_shards(struct catalog *c, struct catalog_shard *shards, size_t n, struct err *e);

/* A look at a folder within this time of its last change is replaced by the next one. */
#define CATALOG_SEEN_WELL_NS INT64_C(3000000000)

/* A state that something was built on, such as a cut, by its id: the change counter then, so that what
 * has not changed since can be told by it; and what else it depends on (its maker defines that). Of
 * another catalogue, one that was lost, no state is known. */
struct catalog_base {
    uint64_t index;
    uint8_t rules[SHA256_BYTES];
};

/* -ENOENT: it is not known. */
int catalog_get_base(struct catalog *c, const char *id, struct catalog_base *out, struct err *e);
int catalog_put_base(struct catalog *c, const char *id, const struct catalog_base *base,
                     struct err *e);

/* One more than the last time, in whatever process; never 0. */
int catalog_take_turn(struct catalog *c, uint64_t *out, struct err *e);

/* A part of the store (store/rewrite/selected.h), as first captured (catalog_parts.c). */
struct catalog_part {
    uint8_t key[SHA256_BYTES];      /* which part: its maker defines it */
    uint8_t digest[SHA256_BYTES];   /* of all that its bytes depend on, but for what follows */
    uint8_t meta_sum[SHA256_BYTES]; /* of the meta.db that was made for it */
    int64_t meta_mtime_ns;          /* the time that this meta.db bears */
    uint64_t meta_index;            /* the change counter when it last changed */
    struct catalog_record rec;
};

/* Settles n parts of the capture with the record whole. Given key, digest, meta_sum, and the time
 * of the store's own meta.db: a part with the digest that its key had last is what it was then.
 * Otherwise its record is that of whole with another id, and its meta.db, unless it is the same as
 * last time, has the index of whole and the time given. Durable on return. */
int catalog_settle_parts(struct catalog *c, struct catalog_part *parts, size_t n,
                         const struct catalog_record *whole, struct err *e);

/* Remembers the sums of the files; files that changed meanwhile are skipped. */
int catalog_put_sums(struct catalog *c, const struct catalog_files *files, struct err *e);

/* Results found in a store's files, valid until the file changes (catalog_notes.c). */

#define CATALOG_STAMP 8

/* A file's note: bytes, which the caller of catalog_get_notes frees. Only a cache: when there are
 * too many notes, all are forgotten. */
struct catalog_note {
    const char *path;              /* as in catalog_file */
    uint64_t stamp[CATALOG_STAMP]; /* what the bytes depend on; the first is the file's index */
    bool known;                    /* the bytes were remembered */
    void *bytes;                   /* NULL: there are none */
    size_t n;
};

/* Fills in known, bytes and n for files with a note of this stamp. */
int catalog_get_notes(struct catalog *c, struct catalog_note *notes, size_t n, struct err *e);
/* Remembers new notes with bytes, of files that still have this index. */
int catalog_put_notes(struct catalog *c, const struct catalog_note *notes, size_t n, struct err *e);

/* What a cut's manifest file says of itself (store/chain), as n bytes, by its name and a stamp of all
 * that the file's bytes depend on. -ENOENT: it is not known. */
int catalog_get_manifest(struct catalog *c, const char *name, const uint64_t stamp[CATALOG_STAMP],
                         void *out, size_t n, struct err *e);
int catalog_put_manifest(struct catalog *c, const char *name, const uint64_t stamp[CATALOG_STAMP],
                         const void *value, size_t n, struct err *e);

/* A file that a cut retains (store/chain), by its place, and its sum (catalog_cuts.c). A place comes
 * again when the chain of cuts was moved away: the sum is of the file that had this inode, size and time
 * when it was retained. */
struct catalog_retained {
    uint64_t serial;
    uint32_t seq;
    bool have_sum;
    uint8_t sum[SHA256_BYTES];
    uint64_t ino, size;
    int64_t mtime_ns;
};

/* Fills in known sums where have_sum is false; remembers those where it is true. */
int catalog_get_retained(struct catalog *c, struct catalog_retained *files, size_t n,
                         struct err *e);
int catalog_put_retained(struct catalog *c, const struct catalog_retained *files, size_t n,
                         struct err *e);
/* Forgets the retained files with serials up to last that keep rejects. */
int catalog_forget_retained(struct catalog *c, uint64_t last,
                            bool (*keep)(void *ctx, uint64_t serial, uint32_t seq), void *ctx,
                            struct err *e);

/* What is known of a file made from the store when read (a dump, a tar of a cut), by the digest of
 * all that its bytes depend on (catalog_derived.c). The maker defines the digest. Only a cache of
 * some hundred thousand, the last ones used. */

struct catalog_derived {
    uint64_t size; /* bytes */
    bool have_crc, have_sum;
    uint32_t crc; /* CRC-32 of the bytes, as zlib computes it */
    uint8_t sum[SHA256_BYTES];
};

/* -ENOENT: it is not known. */
int catalog_get_derived(struct catalog *c, const uint8_t digest[SHA256_BYTES],
                        struct catalog_derived *out, struct err *e);

/* Replaces the entry of this digest. Written to the file with what comes next, or by
 * catalog_close: until then other processes do not see it. */
int catalog_put_derived(struct catalog *c, const uint8_t digest[SHA256_BYTES],
                        const struct catalog_derived *value, struct err *e);

#endif
