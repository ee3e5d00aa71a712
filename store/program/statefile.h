/* SPDX-License-Identifier: MIT */
/* An object of JSON in a file of the state folder, which several processes read, and change one after
 * the other. */
#ifndef INFLUXFS_PROGRAM_STATEFILE_H
#define INFLUXFS_PROGRAM_STATEFILE_H

#include "store/base/err.h"

struct json_object;

/* Reads it: *out, which the caller puts, is NULL without the file or the folder. -EBADMSG, and no
 * message: it is no object of JSON, or has more than four megabytes; others from the system. */
int statefile_read(const char *state, const char *name, struct json_object **out, struct err *e);

/* Takes the lock for changing such files: a descriptor of the folder, and closing it lets go. -EAGAIN:
 * another process has held it for ten seconds. */
int statefile_lock(const char *state, struct err *e);

/* Puts o, which it takes over (NULL: memory was short), in the place of the file: durably, in one step,
 * readable for its owner alone. With the lock. */
int statefile_write(int lock, const char *state, const char *name, struct json_object *o,
                    struct err *e);

/* Removes the file, durably; one that is not there is fine. With the lock. */
int statefile_remove(int lock, const char *state, const char *name, struct err *e);

#endif
