/* SPDX-License-Identifier: MIT */
/* The lines of one kind of a cut's manifest, which are sorted by path, read a piece at a time. */
#ifndef INFLUXFS_CHAIN_CUTSCAN_SECTION_H
#define INFLUXFS_CHAIN_CUTSCAN_SECTION_H

#include "store/chain/cut_line.h"

#include <limits.h>

#define CUTSCAN_LINE_MAX                                                                           \
    ((size_t)64 << 10) /* a path, each byte as %XX, and what stands before it */

struct cutscan_section {
    const char *name; /* of the cut, for messages */
    int fd;           /* the file's, which stays its owner's */
    uint64_t begin;   /* of the first line */
    uint64_t end;     /* the byte after the last line */
    uint64_t at;      /* of the line that comes next */
    char *buf;        /* bytes of the file from `from` on */
    size_t n, cap;
    uint64_t from;
    bool probing; /* single lines are looked at: less is read at once */
};

void cutscan_section_clear(struct cutscan_section *s);

/* The next line, ended in place of its newline: it may be changed, and is valid until the next call.
 * NULL, without an error, at the end. */
int cutscan_section_line(struct cutscan_section *s, char **line, struct err *e);

/* Back to the first line. */
void cutscan_section_rewind(struct cutscan_section *s);

/* Goes on to a line before the first one for which `before` is false, most often that one itself, and
 * never back. `before` must be true for all lines up to some place and false for the rest; it may
 * change the line. */
int cutscan_section_seek(struct cutscan_section *s, bool (*before)(const void *key, char *line),
                         const void *key, struct err *e);

#endif
