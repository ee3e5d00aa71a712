/* SPDX-License-Identifier: MIT */
/*
 * influxsnap: what the mount does, from the command line. One run does one command on one store.
 *
 * Results go to stdout, everything else to stderr: progress (meter.h), errors and warnings (say.h).
 */
#ifndef INFLUXFS_INFLUXSNAP_SNAP_H
#define INFLUXFS_INFLUXSNAP_SNAP_H

#include "store/base/err.h"
#include "store/chain/cuts.h"
#include "store/influx/paths.h"
#include "store/influxsnap/command.h"
#include "store/influxsnap/say.h"
#include "store/snapshot/snapshots.h"

/* Exit codes, as scripts know them. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_IN_USE = 3,     /* refused because influxd uses the store */
    EXIT_CORRUPT = 4,    /* a snapshot is damaged, or is none */
    EXIT_INCOMPLETE = 5, /* a snapshot of the chain is missing, or does not fit */
    EXIT_OMISSIONS = 6,  /* done, but for what was named on stderr */
};

struct snap {
    struct options o;
    const struct command *command;
    struct store_paths paths;
    char *state;                 /* the state folder; NULL: none that can be written to, */
    struct err lacks;            /* for this reason, */
    int lacking;                 /* whose -errno is this; see snap_cuts_unknown */
    struct snapshots *snapshots; /* from snap_open with SNAP_SNAPSHOTS on */
    struct cuts *cuts;           /* with SNAP_CUTS */
};

/* How much of the store a command needs. */
enum snap_need {
    SNAP_LOOK,      /* where it lies, and the state folder if there is one */
    SNAP_PATHS,     /* the state folder is made if there is none */
    SNAP_SNAPSHOTS, /* what a killed restore left is dealt with; it can be captured */
    SNAP_CUTS,      /* its cuts; without a state folder this fails */
};
int snap_open(struct snap *s, enum snap_need need, struct err *e);
void snap_close(struct snap *s);

/* Whether there may be cuts, in a state folder that could not be looked into (lacks says why). */
bool snap_cuts_unknown(const struct snap *s);

/* Whether SIGINT, SIGTERM or SIGHUP has come. The argument is not used. */
bool snap_stopped(void *ctx);
extern const struct tarball_reader snap_reader; /* asks that */

/* The commands: each returns an exit code. */
int snap_backup(struct snap *s);
int snap_restore(struct snap *s);
int snap_verify(struct snap *s);
int snap_cut(struct snap *s);
int snap_list(struct snap *s);
int snap_prune(struct snap *s);
int snap_status(struct snap *s);
int snap_clone(struct snap *s);
int snap_dump(struct snap *s);

#endif
