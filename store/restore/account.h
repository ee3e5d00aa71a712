/* SPDX-License-Identifier: MIT */
/*
 * What a session says of its restores: the lines of restore/log, and restore/status.json.
 *
 * Of all uploads at work, the status describes one: the upload, or the session's own work, that has
 * the staging area; while that is free, the upload that began last, until it ends. Reports of
 * others are only lines in the log.
 *
 * A `const struct upload *` is only compared. Every function may be called from any thread; none
 * fails or blocks for long: without memory or disk space something is not said, which is no reason
 * to fail a restore.
 */
#ifndef INFLUXFS_RESTORE_ACCOUNT_H
#define INFLUXFS_RESTORE_ACCOUNT_H

#include "store/restore/progress.h"
#include "store/snapshot/manifest.h"

#include <stdint.h>

struct account;
struct upload;

/* state_fd: the folder for `restore.log`, not taken over. If it is -1 or the log cannot be opened,
 * the log is in memory. -ENOMEM, or -errno. */
int account_open(int state_fd, struct account **out);
void account_close(struct account *a); /* NULL is allowed */

/* A restore that has ended: restored, or refused for the reason `why`. */
struct account_end {
    bool restored;
    const char *name, *id, *why; /* id, why: or NULL */
    int64_t took_ns;
    uint64_t bytes; /* that were unpacked */
};

/* From now on fn is told of each end: in the thread that brings it about, which may hold the
 * upload's lock, so that fn must not wait and not use uploads. Call before the first upload. */
void account_on_end(struct account *a, void (*fn)(void *arg, const struct account_end *end),
                    void *arg);

/* The log. account_say adds a line "RFC3339 text\n" by one write(2), with '?' for control bytes.
 * The next empties the log if it is larger than 8 MiB; called when a restore begins. The last gives
 * its descriptor, for pread and fstat; the account keeps it. */
void account_say(struct account *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void account_trim_log(struct account *a);
int account_log_fd(const struct account *a);

/* The status, restore/status.json, as text with a newline at its end; the caller frees it. -ENOMEM.
 * {"state":"idle|receiving|verified|installing|restored|pending|refused","name":…,"id":…,
 *  "bytes":N,"total_bytes":N,"files":N,"total_files":N,"started":RFC3339|null,
 *  "ended":RFC3339|null,"error":text|null,"kept":[folder,…],"databases":[…](composed.h),
 *  "warnings":[text,…],"restores":N,
 *  "pending":[{"name":…,"number":N,"id":…,"parent":…,"waits_for":message},…]} */
int account_json(struct account *a, char **text);

/* The same as data, which the caller clears. */
void account_status(struct account *a, struct progress *out);

/* How many restores have been committed since account_open. */
uint64_t account_restores(struct account *a);

/* Reports of an upload. */
void account_receiving(struct account *a, const struct upload *u, const char *name);
void account_member(struct account *a, const struct upload *u, const char *name, uint64_t size);
void account_progress(struct account *a, const struct upload *u, uint64_t bytes);
void account_verified(struct account *a, const struct upload *u, const char *name);
void account_refused(struct account *a, const struct upload *u, const char *name, const char *why);

/* The upload ends early, but may go on: to the log; the status shows no end. And: that was the end
 * after all: to the status. */
void account_incomplete(struct account *a, const struct upload *u, const char *name,
                        const char *why);
void account_ended(struct account *a, const struct upload *u, const char *name, const char *why);

/* The staging area belongs to this upload, or to the session (NULL), until account_release: the
 * status describes nothing else. For staging.c. */
void account_hold(struct account *a, const struct upload *u);
void account_release(struct account *a);

/* Reports of the staging area's owner: a full snapshot begins to be staged; a state. */
void account_begin(struct account *a, const char *name, const struct manifest *m);
void account_state(struct account *a, enum progress_state state, const char *name, const char *why);

/* A file of a retained cut was staged for the session. */
void account_staged(struct account *a, const char *name, uint64_t size, bool linked);

/* The size of an increment that begins, if the status describes it. */
void account_describe(struct account *a, const char *name, const struct manifest *m);

/* A restore was committed: these folders keep the old store (NULL: none), this is what came from the
 * snapshot if not all did (both are copied), and the old store's warnings are forgotten. And: a
 * warning of the present store. */
void account_restored(struct account *a, char *const kept[TARGETS], const struct composed *did);
void account_warn(struct account *a, const char *text);

/* The increments that wait: sets all, taking over the list; adds one, unless it is listed; copies
 * them for the caller (-ENOMEM). */
void account_set_waiting(struct account *a, struct waiting_list *list);
void account_add_waiting(struct account *a, const char *name, const struct manifest *m,
                         const char *waits_for);
int account_waiting(struct account *a, struct waiting_list *out);

#endif
