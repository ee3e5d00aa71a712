/* SPDX-License-Identifier: MIT */
/*
 * The three folders of a store as targets of a restore: where each lies, where its side folders
 * lie, and in which way it can be exchanged.
 *
 *   beside   DATA.restoring  DATA.before-restore         the folder can be renamed
 *   inside   DATA/.influxfs/{restoring,before-restore}/data/…   it is a mount point, or the folder
 *            that holds it may not be written. One level deeper than it need be, because influxd
 *            takes DATA/X/Y/NUMBER for a shard of database X: no database's folder with shards in
 *            it may ever stand at DATA/.influxfs/X.
 *
 * A side folder that is one rename away is called a unit (`DATA.restoring`, `restoring`); what it
 * stands for lies in it (beside) or one level down (inside). data and wal that are `beside` are
 * exchanged whole; everything else, and meta always, entry by entry (`by_contents`).
 *
 * Paths are resolved once (links in the configuration's own paths are followed); from then on
 * everything goes by descriptors of folders and single names, and no link is followed.
 *
 * A struct targets is used by one thread at a time.
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
    SIDE_TRASH,    /* what was kept by the restore before this one, or is not to be kept */
    SIDE_PENDING,  /* of data only: increments (increment.h) */
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
    void (*left)(void *arg, const char *text); /* targets_tell */
    void *left_arg;
};

struct targets {
    struct target at[TARGETS];
    int lock;     /* descriptor that holds the lock, or -1 */
    bool half;    /* an exchange has begun and not ended: nothing may be tidied but by recovery */
    bool discard; /* what is replaced is not kept, and what was kept before stays */
};

/* Finding them (locate.c) */

/* Resolves the paths; makes nothing. uid, gid: owner=, or -1 for the rule of session_options.h.
 * -EINVAL: one of the folders lies in another, or is named strangely; -ENOTDIR; -ENOENT: a dangling
 * link. */
int targets_open(const struct store_paths *paths, uid_t uid, gid_t gid, struct targets **out,
                 struct err *e);

/* -EBUSY if anything is mounted below one of the folders, or on or below a side folder: renaming
 * the folder would carry it off. A folder that is a mount point itself is exchanged in another way
 * (`inside`). Makes nothing. */
int targets_check_mounts(const struct targets *t, struct err *e);

/* Asks that, and finds out how each folder can be exchanged, by renames that cannot succeed.
 * -EXDEV: it lies on the lower layer of an overlay; -EBUSY; -EACCES, -EROFS. */
int targets_probe(struct targets *t, struct err *e);

/* Removes what a killed targets_probe left. */
void targets_remove_probes(const struct targets *t);

/* Using them (target.c) */

/* Freeing them unlocks too; NULL is allowed. */
void targets_free(struct targets *t);
static inline void targets_freep(struct targets **t)
{
    targets_free(*t);
}

/* Sets what is called with a message when a removal has found something in side folders that
 * neither influxd nor influxfs has written, which it leaves, and says where it lies now. */
void targets_tell(struct targets *t, void (*left)(void *arg, const char *text), void *arg);

/* Makes the folders that are to hold the targets, where they do not exist. */
int targets_make_parents(struct targets *t, struct err *e);

/* Takes the lock that tells other processes that side folders are in use: flock on the folder that
 * holds meta, which leaves no file. Parents that do not exist are made first if `make`, else
 * there is nothing to lock. -EBUSY: another process has it. Locking twice is allowed. */
int targets_lock(struct targets *t, bool make, struct err *e);
void targets_unlock(struct targets *t);

/* Makes the three staging folders afresh (needs probe and lock) and opens them. */
int targets_stage(struct targets *t, int fds[TARGETS], struct err *e);

/* Opens the staging folders that are there; the store's own folders, -1 for one that is not. */
int targets_open_staged(const struct targets *t, int fds[TARGETS], struct err *e);
int targets_open_store(const struct targets *t, int fds[TARGETS], struct err *e);
void targets_close(int fds[TARGETS]); /* each is -1 then */
static inline void targets_closep(int (*fds)[TARGETS])
{
    targets_close(*fds);
}

/* Removes what targets_stage and a failed restore left: staging, empty units, older trash. None of
 * it is in use by anybody. -ENOTEMPTY: a half moved store was found, nothing was removed; -EBUSY:
 * something is mounted in one of them, which stays. */
int targets_tidy(const struct targets *t, struct err *e);

/* Removes each TARGET/.influxfs that holds nothing of ours. Only while influxd does not run. */
void targets_remove_homes(const struct targets *t);
bool targets_have_homes(const struct targets *t); /* whether there is any */

const char *target_kind_name(enum target_kind kind); /* "meta", "data", "wal" */

/* The folder that a name in a snapshot ("data/db/rp") lies in, and its path there ("db/rp"; "" for
 * the folder itself), within name. */
enum target_kind target_kind_of(const char *name, const char **path);

bool target_by_contents(const struct target *t);

/* Names an entry of the target that is not the store's: never moved. */
bool target_is_own_entry(const struct target *t, const char *name);

/* The folder that holds the units; opened (made where it is `inside` and `make`), the caller's. */
int target_open_home(const struct target *t, bool make);

/* Opens the target itself, or what a unit stands for. -ENOENT */
int target_open_folder(const struct target *t);
int target_open_side(const struct target *t, enum target_side side);

bool target_has_side(const struct target *t, enum target_side side);

/* Makes a unit, empty, and what it stands for in it; existing ones stay. */
int target_make_side(const struct target *t, enum target_side side, mode_t mode);

/* Removes a unit: with what influxd and influxfs write there (what else it holds stays, under a
 * name that no restore uses, and is reported); or (rmdir) only if it holds nothing: -ENOTEMPTY.
 * Absence is success. */
int target_remove_side(const struct target *t, enum target_side side, struct err *e);
int target_remove_empty_side(const struct target *t, enum target_side side);

/* Reports what rmtree_clear said by the function of targets_tell; nothing if it said nothing. */
void target_say_left(const struct target *t, const struct err *said);

/* The name of a unit in its home. -ENAMETOOLONG */
int target_unit(const struct target *t, enum target_side side, char out[NAME_MAX + 1]);

/* The path of what a unit stands for, for messages only; the caller's. NULL when out of memory. */
char *target_side_path(const struct target *t, enum target_side side);

#endif
