/* SPDX-License-Identifier: MIT */
/*
 * A capture: the store at one instant, or what changed up to that instant.
 *
 * It lists the members of a snapshot in tar order, with folders but without the manifest and
 * SHA256SUMS, and gives their bytes. Members are meta/meta.db, and for each shard its folder, an
 * empty index/ if it is a tsi1 shard, TSM files, tombstones, and WAL segments cut at the last
 * complete entry. influxd derives everything else from these.
 *
 * The maker of a capture decides where its bytes come from: capture_source.h pins files of the live
 * store, delta_new takes some of these, a cut has retained them (store/chain).
 *
 * A capture never changes and may be read by any number of threads; it is counted by reference.
 */
#ifndef INFLUXFS_SNAPSHOT_CAPTURE_H
#define INFLUXFS_SNAPSHOT_CAPTURE_H

#include "store/base/err.h"
#include "store/influx/source.h"
#include "store/snapshot/catalog.h"
#include "store/snapshot/held.h"
#include "store/snapshot/manifest.h"
#include "store/snapshot/omissions.h"

struct capture;

/* The bytes of a WAL segment that a snapshot holds. Usually one part, from 0. influxd 1.x, started
 * after a crash, leaves a run of zeros before the entries that it appends, and would drop those
 * at its next start: the run is left out, so that the entries are kept. An entry that is torn at
 * the end of a shard's newest segment is one in the making, or what a crash left of it. Anything
 * else that is no entry is damage: influxd may still have in memory what it and the rest held. */
struct wal_cut {
    uint64_t bad_at, nbad; /* in the store's file: where damage begins, bytes from there; 0: none */
    bool have_sum;         /* guarded by the capture */
    uint8_t sum[SHA256_BYTES];
    size_t nparts;
    struct {
        uint64_t off, len;
    } part[];
};

struct member {
    const char *dir;   /* "meta", "data/DB/RP/ID", …; "" for the three roots */
    const char *name;  /* in dir */
    struct held *held; /* of a file of the live store; NULL for folders and in captures of cuts */
    struct file_attr attr;
    uint64_t index;          /* the change counter when it last changed; 0 for a folder */
    struct wal_cut *wal_cut; /* of a WAL segment; NULL: the whole file */
};

/* What a snapshot says of its place among others. */
struct capture_origin {
    enum manifest_kind kind;
    const char *chain;          /* the chain of cuts or of a backup; NULL: none */
    const char *parent;         /* id of the state that an incremental one builds on; else NULL */
    int64_t number;             /* -1: none */
    const char *const *removed; /* files of the parent that have gone, sorted */
    size_t nremoved;
    const char *const *removed_folders;
    size_t nremoved_folders;
    const struct selection *selection; /* a copy; NULL: of the whole store */
};

struct capture *capture_ref(struct capture *c);
void capture_unref(struct capture *c);
static inline void capture_unrefp(struct capture **c)
{
    capture_unref(*c);
}

size_t capture_count(const struct capture *c);
const struct member *capture_member(const struct capture *c, size_t i);
const struct catalog_record *capture_record(const struct capture *c);
const struct capture_origin *capture_origin(const struct capture *c);

/* Files and folders of the store that the capture leaves out. */
const struct omissions *capture_left_out(const struct capture *c);

/* Shard folders that are symbolic links in the store, each as "data/DB/RP/ID -> TARGET". The folder
 * and its files are ordinary members. */
const char *const *capture_links(const struct capture *c, size_t *n);

/* The length of the path of m ("dir/name", folders without a trailing slash), and the path itself,
 * NUL-terminated, in buf of at least that length plus one. */
size_t member_path_len(const struct member *m);
char *member_path(const struct member *m, char *buf);
#define MEMBER_PATH_MAX 4096

static inline bool member_is_folder(const struct member *m)
{
    return S_ISDIR(m->attr.mode);
}

/* The SHA-256 of the member's bytes if it is known. */
bool capture_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES]);
void capture_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES]);
/* Whether member i is known to be damaged: a WAL segment from its WAL cut, another file after
 * capture_set_damaged. */
bool capture_damaged(const struct capture *c, size_t i);
void capture_set_damaged(struct capture *c, size_t i);
/* Writes newly found sums and damage to the catalogue, where they outlive the capture. */
int capture_keep_sums(struct capture *c, struct err *e);
/* Reads n bytes at off of member i, which must lie within attr.size. -EIO, with the file's name,
 * when the file is shorter than it was. */
int capture_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                 struct err *e);

/* The changes in a capture since an earlier snapshot, as a capture of its own (delta.c), for an
 * incremental tar; or all of a capture, to begin a chain. in: a flag for each member of whole,
 * whether it is included; origin: describes the result, but for its selection, which is that of
 * whole. Takes a reference to whole; copies origin and its strings. */
int delta_new(struct capture *whole, const bool *in, const struct capture_origin *origin,
              struct capture **out);

/* A member as a source of bytes. */
struct membersource {
    const struct capture *capture;
    size_t member;
    char *path;
    struct source source; /* its ctx is this struct, which must not move */
};

/* The capture must outlive *s. 0 or -ENOMEM. */
int membersource_init(struct membersource *s, const struct capture *c, size_t member);
void membersource_clear(struct membersource *s);

#endif
