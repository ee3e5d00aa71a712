/* SPDX-License-Identifier: MIT */
/* How a part of a capture is made, once its meta.db is known (partmeta.h). */
#ifndef INFLUXFS_REWRITE_SELECTED_INTERNAL_H
#define INFLUXFS_REWRITE_SELECTED_INTERNAL_H

#include "store/influx/meta.h"
#include "store/rewrite/selected.h"
#include "store/snapshot/capture_impl.h"

/* A part as a capture, without its record at first. */
struct selected {
    struct capture c;
    struct capture *whole;
    size_t *at;  /* which member of whole each is; of meta.db, which was made, the store's own */
    size_t meta; /* our meta.db, among ours */
    void *bytes; /* of it */
    struct catalog_part part;
    struct omissions left_out;
    const char **links; /* some of whole's */
    struct selection *what;
};

/* The part without the points outside its times (selected_exact.c), in the place of the reference to
 * it, which is taken over, also on failure. Errors as selected_new. */
int selected_exact(struct capture *part, const struct selected_cutting *how, struct capture **out,
                   struct err *e);

/* The members that a selection takes, by the live shards of its meta.db (selected_members.c): numbers
 * of whole, in its order, which the caller frees. */
int selected_members(const struct capture *whole, const struct meta *meta, size_t **out,
                     size_t *count);

/* What of the whole capture's omissions and links is told of the part (selected_told.c). */
int selected_tell(struct selected *s, const struct meta *meta);

/* -ENOENT, with what there is: a database that is named is missing, or none is selected; by the
 * part's meta, there is no such policy, shard or time (selected_check.c). */
int selected_check(const struct partmeta *store, const struct selection *what, struct err *e);
int selected_check_shards(const struct partmeta *store, const struct selection *what,
                          const struct meta *meta, struct err *e);

/* Whether a member is the meta.db (selected_members.c). */
bool selected_is_meta(const struct member *m);

#endif
