/* SPDX-License-Identifier: MIT */
/* A summary of a cut's manifest (cutlist.h), for which it need not be in memory. */
#ifndef INFLUXFS_CHAIN_CUT_SUMMARY_H
#define INFLUXFS_CHAIN_CUT_SUMMARY_H

#include "store/chain/cut_text.h"

/* The head, the number of files in its lines, and their bytes; and how many of the things that were
 * left out count (omissions_that_count). */
struct cut_summary {
    struct cut_head head;
    uint64_t files, bytes, left_out;
};

/* Of dirfd/name: checks the seal but no lines of files. -ENOENT; -EBADMSG: damaged; -EINVAL: of a later
 * version. */
int cut_summary_read(int dirfd, const char *name, struct cut_summary *out, struct err *e);

/* Adds a line, which it may split in place. -EBADMSG, with a message. */
int cut_summary_line(const struct cut_reader *r, char *line, struct cut_summary *sum);

#endif
