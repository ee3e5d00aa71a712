/* SPDX-License-Identifier: MIT */
/*
 * A set of `influxd backup` that a command was given in the place of a snapshot: a folder of its
 * files, or a tar of such a folder, which is unpacked into a temporary one (TMPDIR). Messages begin
 * with the path.
 */
#ifndef INFLUXFS_INFLUXSNAP_SETLOOK_H
#define INFLUXFS_INFLUXSNAP_SETLOOK_H

#include "store/influxsnap/meter.h"
#include "store/influxsnap/tarlook.h"
#include "store/influxsnap/telling.h"
#include "store/sets/set.h"

struct setlook;

/* Whether the path names a set, by the names of its files. A path that cannot be read does not:
 * whoever opens it says why. */
bool setlook_is_set(const char *path);

/* Reads and judges it; `how` gives what is wanted, and no callbacks. -EINTR after a signal; errors
 * as set_open. */
int setlook_open(const char *path, const struct set_options *how, struct setlook **out,
                 struct err *e);
/* The same of the tar of a set that comes as a stream, whose name is borrowed. */
int setlook_open_stream(const struct tar_stream *in, const struct set_options *how,
                        struct setlook **out, struct err *e);
void setlook_close(struct setlook *l); /* NULL is allowed */

const struct set *setlook_set(const struct setlook *l);

/* The snapshot that it is, from the beginning; as long as it is open. */
void setlook_stream(struct setlook *l, struct tar_stream *out);

/* Reads the whole snapshot, as tar_verify does. */
int setlook_verify(struct setlook *l, struct meter *meter, struct advise *advise,
                   struct tar_counts *out, struct err *e);

/* Says what an operator should know of it: its notes, and what it leaves out. */
void setlook_tell(const struct setlook *l);

bool setlook_omits(const struct setlook *l); /* what a user could miss */

/* Adds `notes` and `left_out` to a result. */
void setlook_json(const struct setlook *l, struct json_object *o);

#endif
