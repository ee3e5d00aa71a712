/* SPDX-License-Identifier: MIT */
/* The command line of influxsnap: its commands, and the options (store/program/options.h) of
 * each; and that of a program which is one command by itself. */
#ifndef INFLUXFS_INFLUXSNAP_COMMAND_H
#define INFLUXFS_INFLUXSNAP_COMMAND_H

#include "store/program/options.h"

struct snap;

struct command {
    const char *name, *arguments;
    const char *takes; /* names of its options, with a space between them */
    int least, most;   /* arguments; most -1: any number */
    int (*run)(struct snap *s);
    const char *summary;
    const char *details; /* lines */
};

/* Reads the command line. *command is from the list, or NULL with --help and --version. -EINVAL,
 * with the reason. The result borrows argv, which is permuted; the caller clears it, also on
 * failure. */
int command_parse(int argc, char **argv, const struct command *commands, struct options *out,
                  const struct command **command, struct err *e);

/* Prints the help of one command, or of all (NULL), to stdout. */
void command_help(const struct command *commands, const struct command *one);

/* The same for a program that is one command, whose name is the program's. It takes the options of
 * OPTION_JOB; words after "--" become out->rclone, and those before it out->args. */
int command_parse_one(int argc, char **argv, const struct command *one, struct options *out,
                      struct err *e);
void command_help_one(const struct command *one);

#endif
