/* SPDX-License-Identifier: MIT */
/* A member of a snapshot: a file or a folder of the store as it was captured. */
#ifndef INFLUXFS_SNAPSHOT_MEMBER_H
#define INFLUXFS_SNAPSHOT_MEMBER_H

#include "store/snapshot/held.h"

/* The bytes of a WAL segment that a snapshot holds. Usually one part, from 0. influxd 1.x, started
 * after a crash, leaves a run of zeros before the entries that it appends, and would drop those
 * at its next start: the run is left out, so that the entries are kept. An entry that is torn at
 * the end of a shard's newest segment is one in the making, or what a crash left of it. Anything
 * else that is no entry is damage: influxd may still have in memory what it and the rest held. */
struct wal_cut {
    uint64_t bad_at, nbad; /* in the store's file: where damage begins, bytes from there; 0: none */
    bool have_sum;         /* guarded by the maker of the capture */
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

/* The length of the path of m ("dir/name", folders without a trailing slash), and the path itself,
 * NUL-terminated, in buf of at least that length plus one. */
size_t member_path_len(const struct member *m);
char *member_path(const struct member *m, char *buf);
#define MEMBER_PATH_MAX 4096

static inline bool member_is_folder(const struct member *m)
{
    return S_ISDIR(m->attr.mode);
}

#endif
