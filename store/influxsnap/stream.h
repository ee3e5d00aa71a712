/* SPDX-License-Identifier: MIT */
/* Writes into a file or a pipe, optionally compressed. Calls that write return 0 or -errno, with a
 * message; -EINTR when the program is to stop. */
#ifndef INFLUXFS_INFLUXSNAP_STREAM_H
#define INFLUXFS_INFLUXSNAP_STREAM_H

#include "store/base/err.h"
#include "store/program/values.h"

#include <stddef.h>
#include <stdint.h>

struct stream;

/* fd stays the caller's; name is for messages, and is borrowed. */
int stream_open(int fd, const char *name, enum compress how, struct stream **out, struct err *e);
int stream_write(struct stream *s, const void *buf, size_t n, struct err *e);

/* Finishes the stream; *bytes is what went to fd, after compression. */
int stream_end(struct stream *s, uint64_t *bytes, struct err *e);

void stream_close(struct stream *s); /* NULL is allowed */
static inline void stream_closep(struct stream **s)
{
    stream_close(*s);
}

#endif
