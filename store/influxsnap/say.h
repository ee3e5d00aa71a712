/* SPDX-License-Identifier: MIT */
/*
 * What a run says to its caller: its exit code; and lines on stderr, each after "influxsnap: ", of
 * which --quiet leaves some.
 *
 *              always  with --quiet  counted
 *   snap_say     x          x                 errors, and what a command would be wrong without
 *   snap_warn    x          x           x     done, but the operator is to know
 *   snap_note    x                            everything is as it should be
 *
 * Each may be called in any thread. Progress (meter.h) is silent with --quiet too. Results go to
 * stdout all the same.
 */
#ifndef INFLUXFS_INFLUXSNAP_SAY_H
#define INFLUXFS_INFLUXSNAP_SAY_H

#include "store/base/err.h"
#include "store/base/log.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#define snap_say(...) snap_line(SNAP_SAY, __VA_ARGS__)
#define snap_warn(...) snap_line(SNAP_WARN, __VA_ARGS__)
#define snap_note(...) snap_line(SNAP_NOTE, __VA_ARGS__)

/* A warning comes after "influxsnap: warning: "; its text is kept for the results as JSON. */
enum snap_line { SNAP_SAY, SNAP_WARN, SNAP_NOTE };
void snap_line(enum snap_line how, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says what went wrong and returns the exit code that -errno stands for outside of the commands
 * that know better: EXIT_FAILED. */
int snap_fail(int code, const struct err *e);

/* How many warnings there were so far; and their texts, in order, as a fresh array. */
size_t snap_warnings(void);
struct json_object *snap_warnings_json(void);

/* Says the log of store/ up to this level as well: errors by snap_say, warnings by snap_warn, all
 * else by snap_note. */
void snap_say_begin(bool quiet, enum log_level most);
bool snap_is_quiet(void);
void snap_say_end(void); /* forgets the warnings */

/* The name of a cut: its number, or "base" for -1. */
void snap_cut_name(int64_t number, char out[32]);

/* Prints a result on a line of stdout, and releases it. */
void snap_print_json(struct json_object *o);

#endif
