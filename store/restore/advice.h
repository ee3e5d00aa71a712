/* SPDX-License-Identifier: MIT */
/* What the operator should know of a store that is being restored, from its staged meta.db, read as
 * influxd will read it, and from its TSM files. */
#ifndef INFLUXFS_RESTORE_ADVICE_H
#define INFLUXFS_RESTORE_ADVICE_H

#include "store/chain/cutuse.h"
#include "store/influx/census.h"
#include "store/restore/composed.h"
#include "store/restore/target.h"
#include "store/snapshot/manifest.h"

struct advice {
    struct composed composed; /* where only a part was restored: all below is of that part */
    struct census census;
    char *created;  /* when the snapshot was taken, RFC 3339; NULL: nothing was restored yet */
    bool kept;      /* the policies in it keep points for ever from now on */
    bool unread;    /* its meta.db was not understood */
    char **damaged; /* TSM files whose header or footer is damaged: messages */
    size_t ndamaged;
};

/* did: of a composed store, what came from the snapshot, which is taken over; NULL: all did. Looks at
 * the staged meta.db, and at the header and footer of each TSM file: one that was damaged
 * in the snapshot is restored as it is, and influxd will set it aside. keep: policies whose shards
 * retention would delete get points for ever; meta.db is rewritten, and its size in `state` set. A
 * meta.db that cannot be understood is only noted, or with `keep` -EBADMSG or -EFBIG. Other errors
 * from the system. The caller releases *out with advice_clear. */
int advice_take(struct manifest *state, const int staged[TARGETS], bool keep, struct composed *did,
                struct advice *out, struct err *e);

/* The same of a cut, whose files `state` does not list. copies: some of its TSM files are copies, and
 * looked at; a link is the store's file of then, of which nothing is read. */
int advice_take_cut(const struct manifest *state, const struct cutuse *cut, bool copies,
                    const int staged[TARGETS], bool keep, struct advice *out, struct err *e);
void advice_clear(struct advice *a);

/* Examines the bytes of a meta.db as influxd will at `now`, limited to what was composed, if anything
 * was. Errors as census_take. */
int advice_census(const struct composed *did, const void *meta, size_t len, int64_t now,
                  struct census *out, struct err *e);

/* Calls fn with each line of the advice. warning: something will be lost. */
void advice_lines(const struct advice *a, void (*fn)(void *arg, const char *line, bool warning),
                  void *arg);

#endif
