/* SPDX-License-Identifier: MIT */
/*
 * The options of all programs: one table, which reads their values and prints their help.
 *
 * influxfs takes an option as -o allow_left_out, influxsnap and the nightly jobs as
 * --allow-left-out; options with a letter are words of their own for all, such as -h and --help. Only
 * the table names options; tests/tree/test_options.py compares it with the manual pages.
 */
#ifndef INFLUXFS_PROGRAM_OPTIONS_H
#define INFLUXFS_PROGRAM_OPTIONS_H

#include "store/base/log.h"
#include "store/chain/cuts.h"
#include "store/export/dump_name.h"
#include "store/influx/paths.h"
#include "store/influx/selection.h"
#include "store/program/lengths.h"
#include "store/program/values.h"

#include <stddef.h>

#define OPTIONS_KEEP_ALL INT64_MAX
#define OPTIONS_FULL_EVERY UINT64_MAX

/* The options as given. */
struct options {
    struct store_paths override; /* meta, data, wal */
    char *store;                 /* an influxdb.conf or a folder; NULL: not given */
    char *state;                 /* NULL: not given */
    struct value_owner owner;    /* of restored files */
    struct cut_rules rules;      /* reserve, guard, exclude */
    uint64_t keep;               /* numbers; or OPTIONS_KEEP_ALL */
    enum log_level log;          /* what is logged */
    bool force, allow_left_out, keep_expired, skip_damaged, help, version;

    /* influxfs */
    char *mountpoint;
    char **mount_options; /* each as given with -o: "keep=2", "allow_other" */
    size_t nmount_options;
    bool foreground, debug, ro, mkdir, allow_other;
    int64_t every_ns; /* 0: not given */
    uint64_t pace;    /* bytes a second; PACE_OFF, PACE_AUTO */
    struct value_id uid, gid, umask;
    unsigned hide; /* enum hide */
    enum dump_names names;

    /* influxsnap */
    bool quiet, json, sql, replace, unite, dry_run, remove, no_ddl, prometheus, html, check;
    enum compress compress;
    struct value_format format;
    int64_t from, to; /* nanoseconds since 1970; from <= time < to */
    bool exact;
    struct selection selected; /* its databases and shards alone; use options_selection */
    char *rp;                  /* NULL: not given */
    char *as;                  /* NULL: not given */
    int merge;                 /* enum merge_mode */
    int64_t accept_loss;       /* the number of a cut; -1: not given */
    struct value_age max_age;  /* of the last cut or backup */
    char *output;              /* NULL: stdout */
    char *path;                /* of loose files; NULL: not given */
    struct lengths duration, shard_duration; /* of policies */
    char *host;                              /* a URL, or unix:PATH; NULL: this machine's store */
    char *allow_host;                        /* NAME[:NAME…]; NULL: none */
    int64_t timeout_ns;                      /* 0: not given */
    size_t memory;                           /* bytes; 0: not given */
    char **args; /* after the command; point into argv, NULL-terminated */
    size_t nargs;

    /* the nightly jobs */
    char *remote;                      /* NAME:, NAME:BASE or a folder; NULL: not given */
    char *container_format;            /* as strftime(3) has it; a job has one, and a good one */
    int32_t day;                       /* since 1970; VALUE_NO_DAY: not given */
    int32_t from_day, to_day;          /* from_day <= day < to_day; VALUE_NO_DAY: not given */
    int64_t retry_ns, wait_ns;         /* wait_ns 0: do not wait */
    char *before, *after, *on_failure; /* commands; NULL: none */
    bool incremental, legacy, verify_read;
    uint64_t full_every; /* numbers; OPTIONS_FULL_EVERY: not given */
    uint64_t part_size;  /* bytes */
    char *into, *stop;   /* a folder; a unit of systemd; NULL: not given */
    bool start_stopped;  /* no job: what one that was killed has left stopped is started */
    char *of_store;      /* whose archive is fetched, by its id; NULL: not given */
    char **rclone;       /* words after "--"; point into argv, NULL-terminated; never NULL */
};

enum option_takers {
    OPTION_INFLUXFS = 1,
    OPTION_COMMAND = 2,  /* commands of influxsnap whose `takes` names it */
    OPTION_COMMANDS = 4, /* all of them, and all nightly jobs */
    OPTION_JOB = 8,      /* nightly jobs whose `takes` names it */
};

struct option_def {
    const char *name;  /* as of influxsnap; NULL: it has a letter only. Unique for each taker */
    char letter;       /* or 0 */
    unsigned takers;   /* enum option_takers */
    const char *value; /* as the help calls it; NULL: it has none */
    int (*read)(const char *text, void *out, struct err *e); /* what kind of value: values.h */
    size_t at;                                               /* where in struct options */
    const char *help;                                        /* lines */
};

/* All options, in the order of the help; the last has no help. */
extern const struct option_def options_table[];

void options_default(struct options *o);
void options_clear(struct options *o);

/* The part of a store that the options name; as long as they live. */
struct selection options_selection(const struct options *o);

/* The option of influxfs that a word names, such as "-h", "--help", "keep=2" or "allow_left_out";
 * *value is the text after '='. NULL: not an option. */
const struct option_def *options_find(const char *word, const char **value);

/* The same for the word after option `before` (NULL: none): mount(8) and libfuse split -o at commas,
 * so in hide=dump,at,live the words "at" and "live" are further values of hide. */
const struct option_def *options_find_after(const struct option_def *before, const char *word,
                                            const char **value);

/* Keeps a word of -o as it was given: a copy of it at the end of a list (free) of *n, which is NULL
 * while it is empty; or (more) after the last one and a comma. -ENOMEM. */
int options_keep(char ***list, size_t *n, const char *word, bool more);
void options_free_kept(char **list, size_t n);

/* Reads its value (NULL for a flag). The message names the option as the program `taker` does. */
int options_read(const struct option_def *d, unsigned taker, const char *value, struct options *o,
                 struct err *e);

/* Prints its lines of the help of that program. */
void options_print(const struct option_def *d, unsigned taker);

#endif
