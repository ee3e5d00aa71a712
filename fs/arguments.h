/* SPDX-License-Identifier: MIT */
/* The command line of influxfs. */
#ifndef INFLUXFS_FS_ARGUMENTS_H
#define INFLUXFS_FS_ARGUMENTS_H

#include "store/program/options.h"

struct fuse_args;

/* Reads the command line; what is not ours is left for libfuse in *left, which the caller frees as
 * he clears *out, also after a failure. -EINVAL, with the reason, for what cannot be understood;
 * options that are neither ours nor libfuse's are found by fuse_session_new. */
int arguments_parse(int argc, char **argv, struct options *out, struct fuse_args *left,
                    struct err *e);

/* Prints the help to stdout. */
void arguments_help(void);

#endif
