/* SPDX-License-Identifier: MIT */
/* The inside of influxsnap restore: restoring.c restores, by pouring.c; foreseeing.c says what that
 * would do. */
#ifndef INFLUXFS_INFLUXSNAP_RESTORING_INTERNAL_H
#define INFLUXFS_INFLUXSNAP_RESTORING_INTERNAL_H

#include "store/influx/running.h"
#include "store/influxsnap/logtail.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/restoring.h"
#include "store/influxsnap/setlook.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/tarlook.h"
#include "store/influxsnap/tarset.h"
#include "store/influxsnap/telling.h"
#include "store/restore/restore_request.h"
#include "store/restore/session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define RESTORING_STDIN "-"

struct restoring {
    struct snap *s;
    const struct restoring_from *from; /* streams; NULL: the arguments name files */
    struct tarset set;
    struct setlook *influxd; /* a set that influxd wrote in its place; NULL */
    struct restore_request request;
    struct session *session;
    struct logtail tail;
    struct meter meter;
    bool full;                /* there is a full snapshot among them */
    struct tar_counts counts; /* of a dry run, */
    struct advise advise;     /* and what it would bring */
};

static inline bool restoring_stdin(const struct restoring *r)
{
    return !r->from && r->s->o.nargs == 1 && strcmp(r->s->o.args[0], RESTORING_STDIN) == 0;
}

/* The stream that a snapshot of the set is read from; NULL: it is a file. */
static inline const struct tar_stream *restoring_stream_of(const struct restoring *r,
                                                           const struct tarset_file *f)
{
    for (size_t i = 0; r->from && i < r->from->n; i++)
        if (strcmp(r->from->at[i].in.name, f->path) == 0)
            return &r->from->at[i].in;
    return NULL;
}

/* All that is to be unpacked; 0 where that is not known. */
static inline uint64_t restoring_bytes(const struct restoring *r)
{
    return r->influxd ? set_size(setlook_set(r->influxd)) : tarset_bytes(&r->set);
}

/* The state folder, for the caller, or -1. */
static inline int restoring_state(const struct restoring *r)
{
    return r->s->state ? open(r->s->state, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

/* The snapshot is not to blame if the store cannot be restored into. */
static inline int restoring_blame(int code)
{
    return code < 0 && code != -EBUSY ? -EIO : code;
}

/* Whether influxd keeps the restore from beginning: -EBUSY. Not if something makes it go away first. */
static inline int restoring_forbidden(const struct restoring *r, struct err *e)
{
    const bool goes = r->s->o.force || (r->from && r->from->begin);
    return goes ? 0 : running_forbids(&r->s->paths, e);
}

/* Writes all snapshots into r->session. Errors as upload.h. */
int restoring_pour(struct restoring *r, struct err *e);

/* --dry-run: checks everything, and fills r->counts and r->advise. */
int restoring_dry_run(struct restoring *r, struct err *e);

#endif
