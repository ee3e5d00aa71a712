/* SPDX-License-Identifier: MIT */
/* The lines of a cut that is being made, on disk, in an unnamed file: those of a folder may be written
 * before what comes before it. One thread. */
#ifndef INFLUXFS_CHAIN_CUTDRAFT_H
#define INFLUXFS_CHAIN_CUTDRAFT_H

#include "store/chain/cut_line.h"

struct cutdraft;

/* In the folder of the cuts. The caller owes a cutdraft_free. */
int cutdraft_new(int cuts_fd, struct cutdraft **out, struct err *e);
void cutdraft_free(struct cutdraft *d); /* NULL is allowed */

/* Writes a line. What fails is said by cutdraft_pour. */
void cutdraft_put(struct cutdraft *d, const struct cut_entry *entry);

/* How many bytes have been written. */
uint64_t cutdraft_at(const struct cutdraft *d);

/* The next bytes of the whole: these, which have been written, or are the last ones. */
int cutdraft_take(struct cutdraft *d, uint64_t at, uint64_t len);

/* Gives the whole, all that was taken, one after the other. -ENOSPC and others, with a message. */
int cutdraft_pour(struct cutdraft *d, FILE *to, struct err *e);

#endif
