/* SPDX-License-Identifier: MIT */
/* A file that appears whole or not at all: written as .NAME.part beside PATH, synced, and renamed.
 * The process that has .NAME.part open owns PATH and its numbers; another process waits for it, or
 * takes over the file if the owner was killed. */
#ifndef INFLUXFS_INFLUXSNAP_OUTFILE_H
#define INFLUXFS_INFLUXSNAP_OUTFILE_H

#include "store/base/err.h"

#include <sys/types.h>

struct outfile;

/* Waits while another process writes to PATH; -EINTR when stopped. */
int outfile_open(const char *path, struct outfile **out, struct err *e);
int outfile_fd(const struct outfile *o); /* to write to; mode 0600 */

/* Puts a text in the place of the file at path, or of nothing, in one step: others see the old text
 * or the new one, never a part. A link to a file is replaced, not followed. -EINVAL: it is, or leads
 * to, a device, a fifo or the like, which stays. */
int outfile_replace(const char *path, const char *text, mode_t mode, struct err *e);

/* Makes it durable under path plus suffix ("" or ".N"). -EEXIST: that file exists. */
int outfile_commit(struct outfile *o, const char *suffix, struct err *e);

/* Removes what was not committed. NULL is allowed. */
void outfile_close(struct outfile *o);
static inline void outfile_closep(struct outfile **o)
{
    outfile_close(*o);
}

#endif
