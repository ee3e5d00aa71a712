/* SPDX-License-Identifier: MIT */
/*
 * A retained cut takes the place of the store, through the same gate as a snapshot that is uploaded:
 * the staging area, the journal, the fence, the exchange, the log and the status. It is staged from
 * its retained files instead of from the bytes of a tar, which takes no longer for large files than
 * for small ones; only their sizes are checked.
 */
#ifndef INFLUXFS_RESTORE_SESSION_CUT_H
#define INFLUXFS_RESTORE_SESSION_CUT_H

#include "store/chain/cutuse.h"
#include "store/restore/cut_effect.h"
#include "store/restore/session.h"

struct session_cut {
    const struct cutuse *cut;
    const char *name; /* for the log and the status: "cut 3" */

    /* A file was staged; true: end, with -EINTR, as long as the exchange has not begun. */
    bool (*staged)(void *arg, const char *name, uint64_t size);
    void *arg;
};

/* The store becomes that of the cut. If it still is as it was restored from another cut that is
 * retained, what it replaced then stays kept, since nothing is lost. *out, which the caller clears,
 * also on failure: what has changed. Errors: those of session_claim, with -ENOSPC, and install_run;
 * -EBADMSG: a retained file is missing or has another size; -EINTR. */
int session_cut_restore(struct session *s, const struct session_cut *q, struct cut_effect *out,
                        struct err *e);

/* Looks at what that would change, and changes nothing. o: paths, uid,
 * gid and state_fd are used. */
int session_cut_look(const struct session_options *o, const struct session_cut *q,
                     struct cut_effect *out, struct err *e);

#endif
