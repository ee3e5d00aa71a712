/* SPDX-License-Identifier: MIT */
/* The inside of composing, for compose*.c; others use compose.h. */
#ifndef INFLUXFS_RESTORE_COMPOSE_IMPL_H
#define INFLUXFS_RESTORE_COMPOSE_IMPL_H

#include "store/influx/metaedit.h"
#include "store/restore/compose.h"
#include "store/restore/mirror.h"
#include "store/restore/stage.h"

#include <sys/stat.h>

struct compose_merge;

/* A shard of the new store that comes from the snapshot as it lies. All of the store that is neither
 * named so nor merged nor dropped stays. */
struct compose_shard {
    const char *db, *rp; /* in the new store */
    uint64_t id;
    const char *their_db, *their_rp; /* in the snapshot */
    uint64_t their_id;
};

struct compose {
    struct targets *t;
    const struct restore_request *q;
    struct selection part;     /* what is asked for, by the request and the snapshot */
    int ours[TARGETS];         /* the store's folders, or -1 */
    int theirs[TARGETS];       /* the snapshot's; -1 in a preview, as is */
    int fresh[TARGETS];        /* staging, */
    struct stage *stage;       /* here as a stage */
    struct metaedit *meta;     /* the store's, becomes the new store's */
    struct metaedit *incoming; /* the snapshot's, with no more than is asked for */
    struct stat was;           /* of the store's meta.db; st_nlink 0: there is none */
    struct manifest *state;
    struct composed *out;

    /* The plan. Strings of items belong to meta and incoming. */
    struct compose_shard *shards;
    size_t nshards;
    char **dropped; /* of the store, "DB", "DB/RP" or "DB/RP/ID"; sorted when it is filled */
    size_t ndropped;
    const char **touched; /* databases that stay and get shards: their indexes are made anew */
    size_t ntouched;
    struct compose_merge *merge; /* NULL: nothing is merged */

    struct manifest_file *came; /* the files of the new store that were staged from the snapshot */
    size_t ncame;
};

/* compose_read.c: opens the store's metastore, and the snapshot's, of these bytes, less what is not
 * asked for. */
int compose_read(struct compose *c, const void *meta, size_t len, struct err *e);

/* The store's alone, c->meta; and whether it lacks the new name, if one is asked for: else -EEXIST. */
int compose_read_ours(struct compose *c, struct err *e);
int compose_name_is_free(const struct compose *c, struct err *e);

/* compose_part.c: checks that the snapshot has all that is asked for by name or number. -ENOENT, with
 * what there is instead. */
int compose_check_part(const struct compose *c, struct err *e);

/* The first database that is asked for (last: NULL), and the one after another; NULL. */
const struct metaedit_item *compose_next_database(const struct compose *c,
                                                  const struct metaedit_item *last);

/* compose_plan.c: from the request and both metastores, the new one and the plan. */
int compose_plan(struct compose *c, struct err *e);

/* compose_steps.c: adds to the plan a shard; what goes of the store (rp, id: or NULL); a database that
 * gets shards. -ENOMEM, with a message. Strings of a shard and of the last are borrowed. */
int compose_add_shard(struct compose *c, const struct compose_shard *s, struct err *e);
int compose_drop(struct compose *c, const char *db, const char *rp, const uint64_t *id,
                 struct err *e);
int compose_touch(struct compose *c, const char *db, struct err *e);

/* Once all that goes is known; then, whether the plan drops this path below data/ or wal/. */
void compose_sort_dropped(struct compose *c);
bool compose_drops(const struct compose *c, const char *path);

/* Adds to the plan, and counts, the shards that were copied as they lie to database `to` from
 * `their_db`. */
int compose_add_copied(struct compose *c, const char *to, const char *their_db,
                       const struct metaedit_copied *did, struct composed_database *count,
                       struct err *e);

/* compose_shards.c: policies or shards of a database take the place of those of `here`, a database of
 * the store: first what goes is taken away, then, when the ids that are free are known, added. */
int compose_clear_shards(struct compose *c, const struct metaedit_item *database,
                         const struct metaedit_item *here, struct err *e);
int compose_place_shards(struct compose *c, const struct metaedit_item *database,
                         const struct metaedit_item *here, struct composed_database *count,
                         struct err *e);

/* compose_merge.c: points are added to a database that is there, or (compose_cuts) points of exact
 * times take the place of its points. Which shards come from where (merge_plan.h, merge_cut.h), and
 * their files (merge_shard.h). influxd finds the series of a changed shard anew
 * at its next start, and adds to the database's series file what is new: the indexes of other shards
 * stay. */

/* Plans the merge of a database of c->incoming into `here`, one of c->meta, which gets the groups and
 * shards that it lacks: adds to the plan and to the count, and keeps the rest in c->merge. Shards
 * that do not line up are read. Errors, with a message: -EBADMSG for damage; -EIO: the store or the
 * snapshot cannot be read whole; -ENOMEM, … */
int compose_merge_plan(struct compose *c, const struct metaedit_item *theirs,
                       const struct metaedit_item *here, struct composed_database *count,
                       struct err *e);

/* What of a merged shard is mirrored from the store: not what influxd makes anew, nor tombstones
 * without a TSM file, nor the WAL where the snapshot's points win. path: below data/ or wal/, of this many components. MIRROR_ALL
 * for all else. */
enum mirror_choice compose_merge_choose(const struct compose *c, enum target_kind kind,
                                        const char *path, int depth);

/* Puts the merged shards into staging, after all else is there. Errors, with a message: as
 * merge_shard_open and stage.h. */
int compose_merge_fill(struct compose *c, struct err *e);

void compose_merge_free(struct compose_merge *m); /* NULL is allowed */

static inline bool compose_cuts(const struct compose *c)
{
    return c->part.exact && c->q->merge == MERGE_NONE;
}

/* compose_came.c: a staged file is one of those that came. */
int compose_came(struct compose *c, const char *name, struct err *e);
/* Stages the data or WAL folder of a shard, which lies open at `from`, and those above it where they
 * are missing. */
int compose_make_shard(struct compose *c, enum target_kind kind, const struct compose_shard *s,
                       int from, struct err *e);
/* c->state becomes the list of what came. */
void compose_came_all(struct compose *c);

/* compose_fill.c: the files, by the plan. */
int compose_fill(struct compose *c, struct err *e);

#endif
