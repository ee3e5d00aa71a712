/* SPDX-License-Identifier: MIT */
/* The command line: the commands and the options that each takes, as tables, which feed the help
 * as well. */
#ifndef INFLUXFS_INFLUXSNAP_OPTIONS_H
#define INFLUXFS_INFLUXSNAP_OPTIONS_H

#include "store/base/err.h"
#include "store/chain/cuts.h"
#include "store/export/dump.h"
#include "store/influx/paths.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum compress { COMPRESS_NOT, COMPRESS_ZSTD, COMPRESS_GZIP };

struct snap;

struct command {
    const char *name, *arguments;
    const char *takes; /* letters of its options */
    int least, most;   /* arguments; most -1: any number */
    int (*run)(struct snap *s);
    const char *summary;
    const char *details; /* lines */
};

struct options {
    const struct command *command; /* NULL: none was given */
    bool help, version, quiet;
    const char *store;           /* an influxdb.conf or a folder */
    const char *state;           /* NULL: not given */
    struct store_paths override; /* borrowed strings */
    bool json, dry_run, force, remove, allow_left_out, keep_expired, no_ddl, skip_damaged;
    enum compress compress;
    enum dump_format format;
    int64_t from, to;   /* nanoseconds since 1970; from <= time < to */
    const char *output; /* NULL: stdout */
    uid_t uid;          /* owner=; -1: not given */
    gid_t gid;
    bool have_keep;
    uint64_t keep;
    int64_t accept_loss;    /* the number of a cut; -1: not given */
    struct cut_rules rules; /* reserve, guard and exclude */
    char **args;            /* NULL-terminated; point into argv */
    size_t nargs;
};

/* -EINVAL, with words: it cannot be understood. argv is permuted, and borrowed by the result. */
int options_parse(int argc, char **argv, const struct command *commands, struct options *out,
                  struct err *e);
void options_clear(struct options *o);

/* Of one command, or of all. */
void options_help(const struct command *commands, const struct command *one);

#endif
