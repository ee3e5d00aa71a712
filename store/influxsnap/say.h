/* SPDX-License-Identifier: MIT */
/*
 * What a run says to its caller: an exit code, and lines on stderr after the program's name and ": ".
 *
 *              always  with --quiet  counted
 *   snap_say     x          x                 errors, and what the user must not miss
 *   snap_warn    x          x           x     done, but the operator should know
 *   snap_note    x                            all is as it should be
 *
 * Safe in any thread. --quiet also silences progress (meter.h), but not results on stdout.
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
    EXIT_CORRUPT = 4,    /* a file is damaged, or not a snapshot */
    EXIT_INCOMPLETE = 5, /* a snapshot of the chain is missing, or does not fit */
    EXIT_OMISSIONS = 6,  /* done, except for what stderr names */
};

#define snap_say(...) snap_line(SNAP_SAY, __VA_ARGS__)
#define snap_warn(...) snap_line(SNAP_WARN, __VA_ARGS__)
#define snap_note(...) snap_line(SNAP_NOTE, __VA_ARGS__)

/* A warning comes after "influxsnap: warning: ", say; its text is kept for the results as JSON. */
enum snap_line { SNAP_SAY, SNAP_WARN, SNAP_NOTE };
void snap_line(enum snap_line how, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says what went wrong. Returns EXIT_FAILED, the exit code for commands that know no better one. */
int snap_fail(int code, const struct err *e);

/* The number of warnings so far; their texts, in order, as a fresh array. */
size_t snap_warnings(void);
struct json_object *snap_warnings_json(void);

/* From now on also says the log of store/ up to this level: errors by snap_say, warnings by
 * snap_warn, the rest by snap_note. */
void snap_say_begin(bool quiet, enum log_level most);
void snap_say_as(const char *program); /* "influxsnap" unless another one says its name first */
bool snap_is_quiet(void);
void snap_say_end(void); /* forgets the warnings */

/* The last line that was said as this; empty: none was. Notes are not kept. */
void snap_said(enum snap_line how, struct err *out);

/* The name of a cut: its number, or "base" for -1. */
void snap_cut_name(int64_t number, char out[32]);

/* Prints a result on a line of stdout, and releases it. */
void snap_print_json(struct json_object *o);

#endif
