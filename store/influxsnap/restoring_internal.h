/* SPDX-License-Identifier: MIT */
/* The inside of influxsnap restore: restoring.c restores, foreseeing.c says what that would do. */
#ifndef INFLUXFS_INFLUXSNAP_RESTORING_INTERNAL_H
#define INFLUXFS_INFLUXSNAP_RESTORING_INTERNAL_H

#include "store/influxsnap/logtail.h"
#include "store/influxsnap/meter.h"
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
    return r->s->o.nargs == 1 && strcmp(r->s->o.args[0], RESTORING_STDIN) == 0;
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

/* --dry-run: checks everything, and fills r->counts and r->advise. */
int restoring_dry_run(struct restoring *r, struct err *e);

#endif
