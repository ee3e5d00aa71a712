/* SPDX-License-Identifier: MIT */
/*
 * What a receipt names, as one stream of bytes: its objects one after the other, which are a tar; of a
 * legacy one, the tar of a set with a file for each object.
 *
 * Each object is checked by its size and SHA-256 when its last byte has come. The last 64 KiB of the
 * stream, in which any tar that is restored ends, are given out only when all objects have proved right:
 * whoever reads it never holds a whole tar of wrong bytes.
 */
#ifndef INFLUXFS_NIGHTLY_FETCH_STREAM_H
#define INFLUXFS_NIGHTLY_FETCH_STREAM_H

#include "mount-helper/nightly/receipt.h"
#include "mount-helper/nightly/remote.h"

struct fetch_stream;

/* folder: where the objects lie; day: whose archive needs them, for messages. They, the remote and the
 * receipt are borrowed. Opens nothing yet. */
int fetch_stream_new(struct remote *r, const char *folder, const struct receipt *c, const char *day,
                     struct fetch_stream **out, struct err *e);
void fetch_stream_free(struct fetch_stream *s); /* also in the middle; NULL is allowed */
static inline void fetch_stream_freep(struct fetch_stream **s)
{
    fetch_stream_free(*s);
}

uint64_t fetch_stream_size(const struct fetch_stream *s); /* of the whole */

/* Whether an object proved to be missing, or not to be what the receipt says. */
bool fetch_stream_spoilt(const struct fetch_stream *s);

/* For struct tar_stream: the next bytes, unchanged until the next call: their number, 0 at the end.
 * -EBADMSG: an object is missing, or has other bytes than its receipt says; others as remote_read. */
ssize_t fetch_stream_pull(void *stream, const void **block, struct err *e);

/* The same as they come, for a look at the first of them: nothing is held back. */
ssize_t fetch_stream_peek(void *stream, const void **block, struct err *e);

#endif
