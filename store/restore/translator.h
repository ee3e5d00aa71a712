/* SPDX-License-Identifier: MIT */
/* What reads something else as the tar of a snapshot, for uploads: an option of a session, since
 * rooms above this one know what that is. */
#ifndef INFLUXFS_RESTORE_TRANSLATOR_H
#define INFLUXFS_RESTORE_TRANSLATOR_H

#include "store/base/err.h"
#include "store/restore/plain.h"

struct session;

struct translator {
    /* Stands before the input of an upload of this name, in its thread. *out gives the tar of a
     * snapshot if `in`, which must stay as long, turns out to be what can be read as one; else
     * what `in` gives. Released by close. -ENOMEM. */
    int (*open)(struct session *s, const char *name, const struct tar_input *in,
                struct tar_input *out);
    /* The message for the error that out->pull has returned; "": it has none. */
    const char *(*said)(const struct tar_input *out);
    void (*close)(struct tar_input *out);
};

#endif
