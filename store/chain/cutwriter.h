/* SPDX-License-Identifier: MIT */
/* Writes a cut's manifest (cutlist.h) line by line, without holding it in memory. It is there, whole,
 * durable and sealed, or not at all: NAME.tmp, and what the name was before. One thread. */
#ifndef INFLUXFS_CHAIN_CUTWRITER_H
#define INFLUXFS_CHAIN_CUTWRITER_H

#include "store/base/err.h"

#include <stdio.h>

struct cutwriter;

/* The caller owes a cutwriter_close, which removes what was not committed. */
int cutwriter_open(int dirfd, const char *name, struct cutwriter **out, struct err *e);
void cutwriter_close(struct cutwriter *w); /* NULL is allowed */
static inline void cutwriter_closep(struct cutwriter **w)
{
    cutwriter_close(*w);
}

/* Where the lines are written, all but the seal; it stays the writer's. What fails is said at last. */
FILE *cutwriter_text(struct cutwriter *w);

/* Seals it and gives it its name. -ENOSPC and others, with a message: nothing has changed. */
int cutwriter_commit(struct cutwriter *w, struct err *e);

#endif
