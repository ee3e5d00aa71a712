/* SPDX-License-Identifier: MIT */
/* influxsnap does from the command line what a mount does: one command on one store per run.
 * Results go to stdout; progress (meter.h), errors and warnings (say.h) to stderr. */
#ifndef INFLUXFS_INFLUXSNAP_SNAP_H
#define INFLUXFS_INFLUXSNAP_SNAP_H

#include "store/base/err.h"
#include "store/chain/cuts.h"
#include "store/influx/paths.h"
#include "store/influxsnap/command.h"
#include "store/influxsnap/say.h"
#include "store/snapshot/snapshots.h"
#include "store/snapshot/tarball.h"

struct snap {
    struct options o;
    const struct command *command;
    struct store_paths paths;
    char *state;                 /* the state folder; NULL: none that can be read */
    struct err lacks;            /* why it is missing, or cannot be written to; or empty */
    int lacking;                 /* the -errno of that, or 0; see snap_cuts_unknown */
    struct snapshots *snapshots; /* from snap_open with SNAP_SNAPSHOTS on */
    struct cuts *cuts;           /* with SNAP_CUTS */
};

/* How much of the store a command needs. */
enum snap_need {
    SNAP_LOOK,      /* its folders, and the state folder if there is one */
    SNAP_PATHS,     /* the state folder is made if missing; below, only if there is a store */
    SNAP_UNTOUCHED, /* the store stays as it lies; its cuts can be read */
    SNAP_SNAPSHOTS, /* what a killed restore left is finished or undone; it can be captured */
    SNAP_CUTS,      /* its cuts; without a state folder this fails */
};
int snap_open(struct snap *s, enum snap_need need, struct err *e); /* later again, for more of it */
int snap_open_folders(struct snap *s, enum snap_need need, struct err *e); /* only its first step */
void snap_close(struct snap *s);

/* Whether an unreadable state folder may hold cuts (lacks says why it is unreadable). */
bool snap_cuts_unknown(const struct snap *s);

/* For commands that look for cuts: a state folder that was named (--state) must be there. */
int snap_check_state(const struct snap *s, struct err *e);

/* Ending early: SIGINT, SIGTERM and SIGHUP are noted, and ask the work under way to end. */
void snap_catch_signals(void);
bool snap_stopped(void *ctx);                   /* whether a signal has come; ctx is unused */
int snap_signals(void);                         /* how many have come; each must be caught anew */
extern const struct tarball_reader snap_reader; /* asks that */

/* The commands: each returns an exit code. */
int snap_backup(struct snap *s);
int snap_restore(struct snap *s);
int snap_verify(struct snap *s);
int snap_verify_cuts(struct snap *s); /* without PATH */
int snap_verify_sets(struct snap *s); /* with PATHs of which one is a set that influxd wrote */
int snap_cut(struct snap *s);
int snap_list(struct snap *s);
int snap_prune(struct snap *s);
int snap_status(struct snap *s);
int snap_rollback(struct snap *s);
int snap_clone(struct snap *s);
int snap_dump(struct snap *s);
int snap_users(struct snap *s);
int snap_queries(struct snap *s);
int snap_rebuild_meta(struct snap *s);
int snap_serve(struct snap *s);
int snap_recover(struct snap *s);

#endif
