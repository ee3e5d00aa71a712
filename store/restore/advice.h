/* SPDX-License-Identifier: MIT */
/*
 * What the operator is to know of a store that is about to be exchanged for what is staged: found
 * in the meta.db that lies there, as influxd will read it.
 */
#ifndef INFLUXFS_RESTORE_ADVICE_H
#define INFLUXFS_RESTORE_ADVICE_H

#include "store/influx/census.h"
#include "store/restore/target.h"
#include "store/snapshot/manifest.h"

struct advice {
    struct census census;
    char *created;  /* when the snapshot was taken, RFC 3339; NULL: nothing was restored yet */
    bool kept;      /* the policies in it keep points for ever from now on */
    bool unread;    /* its meta.db was not understood */
    char **damaged; /* TSM files whose header or footer is damaged: messages */
    size_t ndamaged;
};

/* Looks at the meta.db that is staged, and at the header and footer of each TSM file: one that was
 * damaged when the snapshot was taken is restored as it is, and influxd will set it aside. keep:
 * the policies whose shards retention would delete keep points for ever from now on; meta.db is
 * written anew then, and its size in `state` with it. A meta.db that cannot be understood is only
 * told of, unless `keep` was asked for: -EBADMSG or -EFBIG. Others from the system. The caller
 * releases *out with advice_clear. */
int advice_take(struct manifest *state, const int staged[TARGETS], bool keep, struct advice *out,
                struct err *e);
void advice_clear(struct advice *a);

/* Calls fn with each line. warning: it is about what will be lost. */
void advice_lines(const struct advice *a, void (*fn)(void *arg, const char *line, bool warning),
                  void *arg);

#endif
