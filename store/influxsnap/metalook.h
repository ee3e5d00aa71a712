/* SPDX-License-Identifier: MIT */
/* For commands that show what meta.db says: of the store, of a snapshot, or by itself; as statements
 * or as JSON; to standard output or into a file. */
#ifndef INFLUXFS_INFLUXSNAP_METALOOK_H
#define INFLUXFS_INFLUXSNAP_METALOOK_H

#include "store/base/buffer.h"
#include "store/influx/metaedit.h"
#include "store/influxsnap/snap.h"

struct metalook {
    char *bytes; /* of the meta.db */
    size_t n;
    struct metaedit *m; /* the same, to be walked */
    const char *from;   /* where it was read: a path, for messages */
};

/* Reads the meta.db of the store, or that of the argument: a snapshot, compressed or not, "-" for
 * standard input; a set that influxd wrote; or a meta.db. Says what is wrong with the options: EXIT_USAGE. Returns EXIT_DONE,
 * or another exit code after saying why. The caller releases *out with metalook_clear. */
int metalook_open(struct snap *s, struct metalook *out);
void metalook_clear(struct metalook *l);

/* Appends the lines of a text as comments of InfluxQL. */
void metalook_comment(struct buffer *out, const char *text);
void metalook_comment_all(struct buffer *out, struct buffer *text); /* releases the text */

/* Writes a text, or an object, which is released, to where the options say. A file is for its owner
 * alone: there are secrets in it. Returns an exit code, after saying why. */
int metalook_write(const struct snap *s, struct buffer *text);
int metalook_write_json(const struct snap *s, struct json_object *o);

#endif
