/* SPDX-License-Identifier: MIT */
/*
 * A restore whose snapshots come as streams of bytes instead of files: checked, staged, exchanged
 * and told as `influxsnap restore` does it, with the same options.
 *
 * The streams are read once, one after the other: numbers first, the full snapshot last, so that
 * nothing is exchanged before all bytes were checked. --dry-run reads them in the order of the chain.
 */
#ifndef INFLUXFS_INFLUXSNAP_RESTORING_H
#define INFLUXFS_INFLUXSNAP_RESTORING_H

#include "store/influxsnap/snap.h"
#include "store/influxsnap/tarlook.h"
#include "store/restore/restore_request.h"

struct restoring_stream {
    struct tar_stream in; /* its name is unique among them, and the last part of it the upload's */
    uint64_t size;        /* all of it; 0: not known */
    struct manifest *m;   /* of a snapshot; NULL: the tar of a set that influxd wrote */
};

struct restoring_from {
    const char *what; /* all of it, for the history and the log */

    /* A full snapshot with numbers, in any order; or one stream that is the tar of a set, which is
     * unpacked into a temporary folder (TMPDIR) before it is judged. */
    struct restoring_stream *at;
    size_t n;
    const struct selection
        *part; /* of a set: the part of a store that it is, which it cannot say itself
                                   * as a snapshot does; NULL: the whole */

    /* Makes influxd go away: called once, when the store is about to be worked on and no reason
     * against that is known; not by a dry run. -errno with a message ends the restore. NULL: nothing
     * does, so that an influxd which uses the store is refused early. */
    int (*begin)(void *arg, struct err *e);

    /* All has been restored, or by a dry run been found good, and that was told. Returns an exit code;
     * EXIT_DONE: whatever the restore has. */
    int (*done)(void *arg);
    void *arg;

    struct json_object *json; /* with --json gets the result, which is not printed */
};

/* The exit code of a restore that was refused with -EBUSY: by influxd, or by a mount below the store's
 * folders. */
int restoring_busy_code(const struct snap *s);

/* What the options ask for; borrows from them. The caller checks it (restore_request_check). */
struct restore_request restoring_request(const struct options *o);

/* The same of streams: without a wish, that of the part that they are. Borrows from both. */
struct restore_request restoring_request_of(const struct options *o,
                                            const struct restoring_from *from);

/* s has been opened, SNAP_LOOK for a dry run, else SNAP_PATHS; its request has been checked. Takes over each manifest, also on
 * failure. Says what fails, which is then in *why too. Returns the exit code of the restore. */
int restoring_streams(struct snap *s, const struct restoring_from *from, struct err *why);

#endif
