/* SPDX-License-Identifier: MIT */
/*
 * What status says of a store and of its program: gathered once as plain data, which report_json.c
 * and report_prom.c print for a mount's status.json and metrics.prom, and for `influxsnap status`
 * with --json and --prometheus.
 *
 * A new fact needs a field here, a line that gathers it (report_cuts and report_store for both
 * programs, else fs/reporter.c or influxsnap's gather.c), a line that prints it, and an item in
 * influxfs(1), "status.json"; in metrics.prom a row of report_prom.c, and in influxfs-metrics(5).
 *
 * Times are nanoseconds since 1970 by the wall clock; 0: never.
 */
#ifndef INFLUXFS_PROGRAM_REPORT_H
#define INFLUXFS_PROGRAM_REPORT_H

#include "store/chain/cut_links.h"
#include "store/program/contents.h"
#include "store/program/history.h"
#include "store/program/joblock.h"
#include "store/program/options.h"
#include "store/program/stopped.h"
#include "store/restore/progress.h"
#include "store/snapshot/capture.h"

#include <json-c/json.h>

struct report_event {
    int64_t at_ns;
    char what[64];
    char text[800];
};

struct report_texts {
    char **at;
    size_t n;
};

/* A snapshot of the store at its look-up. */
struct report_capture {
    int64_t at_ns;
    struct catalog_record record;
    uint64_t bytes;
    size_t files;
    struct omissions left_out;
    struct report_texts links, damaged; /* files that are not whole, as far as is known */
};

/* What happened last in a mount. */
struct report_last {
    struct report_event error, success;
    struct report_capture capture;
};

/* What the timer of a mount did last. */
struct report_timer {
    int64_t cut_ns;
    struct cut_result cut;
    int64_t fold_ns;
    struct prune_result fold;
    struct report_event error; /* the last failure, if no success followed */
};

/* Branches of the tree, for what is read of them: "live", "now", "cuts", "at", "dump". */
extern const char *const report_branch_names[];
enum report_branch {
    REPORT_LIVE,
    REPORT_NOW,  /* now.tar, under any name */
    REPORT_CUT,  /* base.tar, the numbers, and tars in at/ */
    REPORT_VIEW, /* the folders in at/ */
    REPORT_DUMP,
    REPORT_BRANCHES
};

/* What goes wrong in a mount: requests by the errno that they were answered with, and what no request
 * was answered with. "io", "again", "space", "files", "refused", "other". */
extern const char *const report_error_names[];
enum report_error_kind {
    REPORT_ERROR_IO,      /* EIO */
    REPORT_ERROR_AGAIN,   /* EAGAIN: the store did not settle, or another restore is under way */
    REPORT_ERROR_SPACE,   /* ENOSPC, EDQUOT */
    REPORT_ERROR_FILES,   /* EMFILE, ENFILE, ENOMEM */
    REPORT_ERROR_REFUSED, /* restores that were refused, whatever their writers were answered */
    REPORT_ERROR_OTHER,   /* cuts and folds of the timer; an influxd that uses other folders */
    REPORT_ERROR_KINDS
};

/* What a mount has done since it was mounted. */
struct report_counters {
    uint64_t captures, capture_ns;        /* taken, and the time that took */
    uint64_t read_bytes[REPORT_BRANCHES]; /* answered to readers */
    uint64_t sizing_bytes;                /* made only to learn the sizes of dumps */
    uint64_t errors[REPORT_ERROR_KINDS];
    uint64_t cuts, folds; /* made, by the timer */
};

/* What only a mount knows. */
struct report_mount {
    int64_t mounted_ns;
    const char *mountpoint; /* as the kernel names it */
    struct report_last last;
    size_t captures_held;
    uint64_t held_to;                 /* the present limit for readers, bytes a second; 0: none */
    struct report_texts dumps_lack;   /* with skip_damaged */
    bool dumps_lack_more;             /* more than are named */
    uint64_t spilled, spilled_most;   /* bytes of dumps' files without a name: now, and at most */
    struct report_texts backups_lack; /* what backup/ cannot hold */
    struct report_timer timer;
    struct report_counters counters;
    bool restores; /* snapshots can be restored: */
    struct progress restore;
};

enum report_known {
    REPORT_NO_CUTS,      /* a mount without a state folder has none */
    REPORT_UNKNOWN_CUTS, /* they may not be looked at, for the reason in `broken` */
    REPORT_CUTS,
};

/* Whether an influxd, or another program that writes, uses the store. */
enum report_use { REPORT_USE_UNKNOWN, REPORT_UNUSED, REPORT_IN_USE };

struct report {
    const struct store_paths *paths;
    const struct options *options; /* of the program: its reserve, what age is too old */
    const char *state;             /* the state folder; NULL: none, for the reason in */
    struct err lacks;              /* what is missing, or empty */
    uint64_t free_bytes;           /* on the disk of the state folder */
    uint64_t disk_bytes;           /* the size of that disk; 0: unknown */
    uint64_t reserve_bytes;        /* below which no cut is made, by the options */
    enum report_use use;
    struct err in_use;    /* who uses the store, or why that is unknown; empty: nobody */
    struct err cut_off;   /* an interrupted restore, unknown to a mount; or empty */
    bool cut_off_unknown; /* for the reason in cut_off */
    bool restoring;       /* none was cut off: one is under way, by another program */

    enum report_known known;
    struct cut_info *cuts; /* the base first */
    size_t ncuts;
    struct err broken; /* what is wrong with them, or empty */
    bool have_usage;
    uint64_t files, bytes, only_here; /* retained; bytes that nothing but the cuts holds */
    struct cut_links links;
    struct report_contents contents;
    uint64_t files_limit;       /* how many files a snapshot may hold open here; 0: unknown */
    struct history history;     /* what the state folder remembers */
    struct err history_unknown; /* why it does not; or empty */
    struct jobs jobs;           /* the nightly jobs, likewise */
    struct err jobs_unknown;
    struct job_now job_now; /* the one that is at work */
    struct stopped stopped; /* what a fetch has stopped, and is to start again */
    int64_t at_ns;          /* when this was gathered */

    struct report_mount *mount; /* NULL: this is influxsnap */
};

/* Begins a report of this store, with what the state folder remembers; all is borrowed. */
void report_store(struct report *r, const struct store_paths *paths, const char *state,
                  const struct options *options);

/* Who uses the store, or why that is unknown, in words; empty: nobody. */
enum report_use report_use(const struct store_paths *paths, struct err *words);

/* Gathers the facts of the cuts, except `links`; after the contents, which must be there if there
 * are cuts. An error that prevents a list of cuts is also in
 * `broken`. */
int report_cuts(struct report *r, struct cuts *c, struct err *e);

/* When the store was last cut, or the timer last saw that nothing had changed; and when it was last
 * backed up, or now.tar read whole. As far as is known; 0: never. */
int64_t report_cut_ns(const struct report *r);
int64_t report_backup_ns(const struct report *r);

/* Whether a fetch that ended in between has left stopped what it had stopped. Not while one is at
 * work, nor once an influxd uses the store, which somebody has started since. */
bool report_left_stopped(const struct report *r);

/* Frees all that it holds but paths, state, mountpoint and options. */
void report_clear(struct report *r);
void report_capture_clear(struct report_capture *c);

/* -ENOMEM: to->capture must be cleared even then. */
int report_last_copy(const struct report_last *from, struct report_last *to);
int report_texts_add(struct report_texts *t, const char *text);
void report_texts_clear(struct report_texts *t);

/* The report as an object, which the caller puts. NULL when out of memory. */
struct json_object *report_json(const struct report *r);

/* The report as metrics for Prometheus (influxfs-metrics(5)), which the caller frees. -ENOMEM. */
int report_prom(const struct report *r, char **text);

/* The report as a page of HTML, which the caller frees. -ENOMEM. */
int report_html(const struct report *r, char **text);

/* One cut; `before` is the preceding cut or NULL. exact: times to the nanosecond, for `clone`. */
struct json_object *report_cut_json(const struct cut_info *c, const struct cut_info *before,
                                    bool exact);

/* Whether the clock was set back between the two. */
bool report_clock_set(const struct cut_info *c, const struct cut_info *before);

#endif
