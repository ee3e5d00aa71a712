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
#include "store/snapshot/manifest.h"
#include "store/snapshot/member.h"
#include "store/snapshot/omissions.h"

struct capture;

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

/* The members of a cut's capture are not all in memory: capture_member is for the others, and this one
 * for both. What it gives is valid until its next call with the same look, or capture_look_end; it is
 * cheap for members that lie near to each other. A look, zeroed before its first use, is for one thread
 * and one capture. NULL: the member could not be read, with a message. */
struct capture_look {
    const struct capture *capture;
    void *page; /* of the maker of the capture, which holds these members */
    const struct member *members;
    size_t first, n;
};
const struct member *capture_look(const struct capture *c, size_t i, struct capture_look *look,
                                  struct err *e);
void capture_look_end(struct capture_look *look);
const struct catalog_record *capture_record(const struct capture *c);
const struct capture_origin *capture_origin(const struct capture *c);

/* Files and folders of the store that the capture leaves out. */
const struct omissions *capture_left_out(const struct capture *c);

/* Shard folders that are symbolic links in the store, each as "data/DB/RP/ID -> TARGET". The folder
 * and its files are ordinary members. */
const char *const *capture_links(const struct capture *c, size_t *n);

/* Runs: the members of a capture of the live store, folder by folder. A folder of the store (meta,
 * data, wal, a database, a policy, a shard's data or WAL) and the files in it are one run, which
 * captures share while it does not change (run.h). In data, and in wal, their folders ascend by
 * strcmp, component by component. A capture of another kind is one run. */
struct capture_run {
    const char *dir; /* "data/DB/RP/ID", …: the folder, which is its first member; "": no run of its
                        own */
    size_t first, n; /* its members */
    /* Of their names, inodes, sizes, times, modes and owners: the same digest, also in another
     * process or another life of it, means the same members. NULL where dir is "". */
    const uint8_t *digest;
    bool shard;     /* it is of the TSM files of a shard */
    bool listed;    /* its files are members; else they are known, or come later (marks.h) */
    size_t files;   /* how many there are, members or not */
    uint64_t bytes; /* in them */
};

size_t capture_runs(const struct capture *c);
struct capture_run capture_run(const struct capture *c, size_t i);
/* The run of member i; false: of a capture that has none. */
bool capture_run_at(const struct capture *c, size_t i, struct capture_run *out);
/* How many of the members are files. */
size_t capture_files(const struct capture *c);

/* The SHA-256 of the member's bytes if it is known. */
bool capture_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES]);
void capture_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES]);
/* Whether member i is known to be damaged: a WAL segment from its WAL cut, another file after
 * capture_set_damaged. */
bool capture_damaged(const struct capture *c, size_t i);
void capture_set_damaged(struct capture *c, size_t i);
/* false: none is known to be damaged, without a look at each. */
bool capture_any_damaged(const struct capture *c);
/* Writes newly found sums and damage to the catalogue, where they outlive the capture. */
int capture_keep_sums(struct capture *c, struct err *e);
/* Reads n bytes at off of member i, which must lie within attr.size. -EIO, with the file's name,
 * when the file is shorter than it was. */
int capture_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                 struct err *e);

/* Has the kernel fetch from the disk, soon, what it does not have in memory of the n bytes at off of
 * member i, which must lie within attr.size. */
void capture_advise(const struct capture *c, size_t i, size_t n, uint64_t off);
bool capture_takes_advice(const struct capture *c); /* else that does nothing */

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

/* The capture must outlive *s. 0 or -ENOMEM, also if the member cannot be looked at. */
int membersource_init(struct membersource *s, const struct capture *c, size_t member);
void membersource_clear(struct membersource *s);

#endif
