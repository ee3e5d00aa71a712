/* SPDX-License-Identifier: MIT */
/*
 * The three folders of a store as targets of a restore: where each and its side folders lie, and
 * how it can be exchanged.
 *
 *   beside   DATA.restoring  DATA.before-restore  …      the folder can be renamed
 *   inside   DATA/.influxfs/{restoring,before-restore,…}/data/…   it is a mount point, or its parent
 *            is not writable. One level deeper than needed, because influxd takes DATA/X/Y/NUMBER
 *            for a shard of database X: DATA/.influxfs/X must never be a database with shards.
 *
 * A side folder that is one rename away is called a unit (`DATA.restoring`, `restoring`); what it
 * stands for lies in it (beside) or one level down (inside). data and wal that are `beside` are
 * exchanged whole; everything else, and meta always, entry by entry (`by_contents`).
 *
 * Paths are resolved once, following links; after that, only descriptors of folders and single
 * names are used, and no link is followed. One thread at a time uses a struct targets.
 */
#ifndef INFLUXFS_RESTORE_TARGET_H
#define INFLUXFS_RESTORE_TARGET_H

#include "store/base/err.h"
#include "store/influx/paths.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum target_kind { TARGET_META, TARGET_DATA, TARGET_WAL, TARGETS };

enum target_side {
    SIDE_NEW,      /* staging: what is being restored */
    SIDE_KEPT,     /* the store that was there before */
    SIDE_KEPT_TMP, /* the same while entries are still being moved into it */
    SIDE_TRASH,    /* kept by the previous restore, or not to be kept */
    SIDE_INCOMING, /* a snapshot of which staging takes a part (compose.h) */
    SIDE_PENDING,  /* of data only: increments (increment.h) */
    SIDE_SETS,     /* of data only: files of sets (spool_folder.h) */
    SIDES
};

#define TARGET_HOME ".influxfs" /* the folder for side folders inside a target */

struct target {
    enum target_kind kind;
    char *path; /* absolute, resolved */
    char *name; /* its last component, in path */
    int parent; /* the folder that holds it; -1 while that does not exist */
    bool existed;
    bool inside; /* set by targets_probe, or from a journal */
    uid_t uid;   /* owner of what is made; (uid_t)-1: leave it */
    gid_t gid;
    void (*tell)(void *arg, const char *text); /* targets_tell */
    void *tell_arg;
};

struct targets {
    struct target at[TARGETS];
    int lock;     /* descriptor that holds the lock, or -1 */
    bool half;    /* an exchange has begun and not ended: nothing may be tidied but by recovery */
    bool discard; /* what is replaced is not kept, and what was kept before stays */
};

/* Finding them (locate.c) */

/* Resolves the paths; makes nothing. uid, gid: owner=, or -1 for the rule of session_options.h.
 * -EINVAL: folders lie in each other, or have a strange name; -ENOTDIR; -ENOENT: a dangling
 * link. */
int targets_open(const struct store_paths *paths, uid_t uid, gid_t gid, struct targets **out,
                 struct err *e);

/* -EBUSY if anything is mounted below one of the folders, or on or below a side folder: a rename
 * would carry it off. A folder that is itself a mount point is exchanged `inside`. Makes
 * nothing. */
int targets_check_mounts(const struct targets *t, struct err *e);

/* Checks the mounts too, and finds out how each folder can be exchanged, by renames that cannot
 * succeed. -EXDEV: it lies on the lower layer of an overlay; -EBUSY; -EACCES, -EROFS. */
int targets_probe(struct targets *t, struct err *e);

/* Removes what a killed targets_probe left. */
void targets_remove_probes(const struct targets *t);

/* Using them (target.c) */

/* Unlocks, too; NULL is allowed. */
void targets_free(struct targets *t);
static inline void targets_freep(struct targets **t)
{
    targets_free(*t);
}

/* Sets the function that gets a message when a removal leaves in a side folder what neither influxd
 * nor influxfs has written, where the message says where it is now; and when a folder cannot be
 * given the labels of the one that it replaces. */
void targets_tell(struct targets *t, void (*tell)(void *arg, const char *text), void *arg);

/* Makes the parents of the targets that do not exist. */
int targets_make_parents(struct targets *t, struct err *e);

/* Takes the lock that tells other processes that side folders are in use: flock on the folder that
 * holds meta, which leaves no file. Missing parents are made first if `make`, else there is nothing
 * to lock. -EBUSY: another process has it. May lock twice. */
int targets_lock(struct targets *t, bool make, struct err *e);
void targets_unlock(struct targets *t);

/* Makes the three staging folders anew (needs probe and lock) and opens them. */
int targets_stage(struct targets *t, int fds[TARGETS], struct err *e);

/* What is staged becomes SIDE_INCOMING, and staging is made anew: opens both, for the caller. */
int targets_stage_again(struct targets *t, int incoming[TARGETS], int fds[TARGETS], struct err *e);

/* Opens the staging folders; the store's own folders. -1 for one that is missing. */
int targets_open_staged(const struct targets *t, int fds[TARGETS], struct err *e);
int targets_open_store(const struct targets *t, int fds[TARGETS], struct err *e);
void targets_close(int fds[TARGETS]); /* each is -1 then */
static inline void targets_closep(int (*fds)[TARGETS])
{
    targets_close(*fds);
}

/* Removes what targets_stage and a failed restore left: staging, what came in, empty units, older
 * trash; none is in use. -ENOTEMPTY: there is a half moved store, and nothing was removed; -EBUSY: something is
 * mounted in one of them, which stays. */
int targets_tidy(const struct targets *t, struct err *e);

/* Removes each TARGET/.influxfs that holds nothing of ours. Only while influxd is down. */
void targets_remove_homes(const struct targets *t);
bool targets_have_homes(const struct targets *t); /* whether there is any */

const char *target_kind_name(enum target_kind kind); /* "meta", "data", "wal" */

/* The target of a name in a snapshot ("data/db/rp"), and its path there ("db/rp"; "" for the folder
 * itself), within name. */
enum target_kind target_kind_of(const char *name, const char **path);

bool target_by_contents(const struct target *t);

/* Whether the entry of the target is not the store's, and so never moved. */
bool target_is_own_entry(const struct target *t, const char *name);

/* Opens the folder that holds the units (made if `inside` and `make`), for the caller. */
int target_open_home(const struct target *t, bool make);

/* Opens the target, or what a unit stands for. -ENOENT */
int target_open_folder(const struct target *t);
int target_open_side(const struct target *t, enum target_side side);

bool target_has_side(const struct target *t, enum target_side side);

/* Makes an empty unit, and in it what it stands for; existing ones stay. */
int target_make_side(const struct target *t, enum target_side side, mode_t mode);

/* Removes a unit with what influxd and influxfs write there; all else stays, under a name that no
 * restore uses, and is reported. target_remove_empty_side removes only an empty one: -ENOTEMPTY. A
 * missing unit is success. */
int target_remove_side(const struct target *t, enum target_side side, struct err *e);
int target_remove_empty_side(const struct target *t, enum target_side side);

/* Passes what rmtree_clear said, if anything, to the function of targets_tell. */
void target_say_left(const struct target *t, const struct err *said);

/* The name of a unit in its home. -ENAMETOOLONG */
int target_unit(const struct target *t, enum target_side side, char out[NAME_MAX + 1]);

/* The path of what a unit stands for, for messages only; the caller frees it. NULL: no memory. */
char *target_side_path(const struct target *t, enum target_side side);

#endif
