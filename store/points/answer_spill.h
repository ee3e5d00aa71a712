/* SPDX-License-Identifier: MIT */
/*
 * Bytes that are put down one after the other and then read at any place, in bounded memory: what
 * does not fit lies in a file without a name, which a kill does not leave behind.
 *
 *   answer_spill_add …, answer_spill_look, answer_spill_read …, answer_spill_clear, and again
 *
 * The file is read through pages that are as small as many places are read in turn. One thread at a
 * time.
 */
#ifndef INFLUXFS_POINTS_ANSWER_SPILL_H
#define INFLUXFS_POINTS_ANSWER_SPILL_H

#include "store/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct answer_spill;

/* As many bytes are kept in memory. folder: that of the file, which must outlive the result; NULL:
 * io_temporary_folder. 0 or -ENOMEM. */
int answer_spill_new(size_t memory, const char *folder, struct answer_spill **out);
void answer_spill_free(struct answer_spill *s); /* NULL is allowed */
static inline void answer_spill_freep(struct answer_spill **s)
{
    answer_spill_free(*s);
}

uint64_t answer_spill_size(const struct answer_spill *s); /* bytes put down since it was cleared */

/* Puts bytes down at the place answer_spill_size. -ENOSPC and others, with the folder in *e;
 * -ENOMEM. */
int answer_spill_add(struct answer_spill *s, const void *p, size_t n, struct err *e);

/* All is put down and will be read, at about this many places in turn. Errors as answer_spill_add. */
int answer_spill_look(struct answer_spill *s, size_t places, struct err *e);

/* Copies n bytes from a place. They must have been put down. Errors as pread(2). */
int answer_spill_read(struct answer_spill *s, uint64_t place, void *to, size_t n, struct err *e);

/* Forgets all that was put down. */
void answer_spill_clear(struct answer_spill *s);

#endif
