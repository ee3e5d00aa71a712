/* SPDX-License-Identifier: MIT */
/* Shared by cuts.c (listing), cuts_open.c, cut_states.c, cut_tars.c, cut_make.c and cut_fold.c. */
#ifndef INFLUXFS_CHAIN_CUTS_INTERNAL_H
#define INFLUXFS_CHAIN_CUTS_INTERNAL_H

#include "store/chain/cuts.h"
#include "store/chain/cutstream.h"
#include "store/snapshot/catalog.h"
#include "store/snapshot/folder_seen.h"

#include <pthread.h>

#define CUTS_FOLDER "cuts"
#define CUTS_BASE "base"

/* A cut and its manifest file, which is read again only after it was replaced. */
struct known {
    struct cut_info info;
    uint64_t ino, size;
    int64_t mtime_ns;
};

struct cuts {
    struct snapshots *snapshots; /* may be NULL */
    int state_fd;
    char *state;          /* the path that it was opened by */
    pthread_mutex_t lock; /* guards all below; never held while waiting */
    int fd;               /* the folder cuts/; -1: there is none yet */
    struct folder_seen seen;
    struct known *list; /* the base and its successors without a gap */
    size_t n;
    struct err broken; /* why the list ends early; else empty */
    uint64_t version;
    int64_t usage_ns; /* monotonic: when the usage was counted; 0: never */
    uint64_t usage[3];
};

/* The folder cuts/, as a descriptor of the caller's; -ENOENT: nothing was ever cut. */
int cuts_folder(struct cuts *c, struct err *e);

/* The name of a cut's manifest file. */
void cuts_file_name(const struct cut_info *i, char out[32]);

static inline uint64_t cuts_serial_of(int64_t number)
{
    return (uint64_t)(number + 1);
}

/* The whole state of the cut as a stream, not leased. -ENOENT: there is no such cut (any more). check: the
 * seals of the manifests; else those that were known when they had these times need no check. The cuts'
 * lock (lease_lock) is held until it is freed, or the cut is leased. */
int cuts_open_stream(struct cuts *c, uint64_t serial, bool check, struct cutstream **out,
                     struct err *e);
/* The summary of the manifest file with this name and stat. c->lock is held. */
int cuts_sum_up(struct cuts *c, const char *name, const struct stat *st, struct cut_summary *out,
                struct err *e);
/* Whether the manifest file with this name was read, and its seal checked, as it is now. */
bool cuts_is_sealed(struct cuts *c, const char *name);
/* A lease on a cut, as a descriptor of the caller's. */
int cuts_lease(struct cuts *c, uint64_t serial, struct err *e);

/* The known sums of n entries, from their manifest or else from the catalogue; the caller frees the
 * result. 0 or -ENOMEM. */
int cuts_known_sums(struct cuts *c, const struct cut_entry *entries, size_t n,
                    struct catalog_retained **out);

/* The catalogue record of a cut's state. */
void cut_record(const struct cut_head *h, struct catalog_record *out);

/* Removes the remains of a kill. The cuts' lock (lease_lock) is held. */
int cuts_tidy(struct cuts *c, int cuts_fd, struct err *e);

#endif
