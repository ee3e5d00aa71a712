/* SPDX-License-Identifier: MIT */
/*
 * What ended lately: backups, verifications and restores, as the state folder remembers them in
 * history.json, so that one program shows what another did. A plain record; nothing depends on it.
 */
#ifndef INFLUXFS_PROGRAM_HISTORY_H
#define INFLUXFS_PROGRAM_HISTORY_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

enum history_kind { HISTORY_BACKUP, HISTORY_VERIFY, HISTORY_RESTORE, HISTORY_KINDS };

enum history_result { HISTORY_DONE, HISTORY_OMISSIONS, HISTORY_FAILED, HISTORY_RESULTS };

#define HISTORY_MOST 32 /* entries of a kind that are kept */

struct history_entry {
    enum history_result result;
    int64_t ended_ns; /* since 1970 */
    int64_t took_ns;
    uint64_t bytes;
    const char *what; /* the path of what was written, checked or restored, in full; or words */
    const char *id;   /* of the snapshot; or NULL */
    const char *text; /* what was left out, or is gone, or why it failed; or NULL */
    bool gone;        /* a failure because `what` is not there (any more) */
};

/* What a verification of the store's cuts calls them. */
#define HISTORY_CUTS "cuts"

/* The text of a backup that is a look at the store: the cut with its id is as good as a new one. */
#define HISTORY_UNCHANGED "nothing has changed"

/* The entries of each kind, the newest first. */
struct history {
    struct {
        struct history_entry *at;
        size_t n;
        uint64_t total[HISTORY_RESULTS]; /* how many ended so, forgotten ones included */
    } of[HISTORY_KINDS];
};

/* Reads what the state folder remembers; without a file: nothing. The caller clears *out, which is
 * empty after an error: -EBADMSG, the file is damaged; others from the system. */
int history_read(const char *state, struct history *out, struct err *e);
void history_clear(struct history *h);

/* Adds an entry, durably. One for the same `what` with the same outcome replaces the one before it
 * if both are of one snapshot, or within ten minutes: a monitor that reads now.tar all the time must
 * not push out the rest. A damaged file is begun anew, with a warning in the log. Processes wait for
 * each other, for ten seconds at most (-EAGAIN). An error is no reason to fail what has ended. */
int history_add(const char *state, enum history_kind kind, const struct history_entry *entry,
                struct err *e);

/* The newest entry of a kind with this result; NULL: none is remembered. */
const struct history_entry *history_last(const struct history *h, enum history_kind kind,
                                         enum history_result result);

/* Whether verification i (0: the newest) found something bad, which none of the same thing since has
 * found good, or gone. Such an entry is not forgotten while there is another one to forget. */
bool history_is_bad(const struct history *h, size_t i);

/* Whether that is so of any; of the cuts. */
bool history_any_bad(const struct history *h);
bool history_cuts_bad(const struct history *h);

/* When one last ended that did not fail; 0: none is remembered. */
int64_t history_good_ns(const struct history *h, enum history_kind kind);

/* "backups", "verifications", "restores"; "done", "omissions", "failed". */
extern const char *const history_kind_names[HISTORY_KINDS];
extern const char *const history_result_names[HISTORY_RESULTS];

/* {"backups":{"done":N,"omissions":N,"failed":N,"last":[{"result","ended","ended_ns","took_ns",
 * "bytes","what","id","text","gone"},…]},…}, which the caller puts. NULL when out of memory. */
struct json_object *history_json(const struct history *h);

#endif
