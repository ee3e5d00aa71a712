/* SPDX-License-Identifier: MIT */
/*
 * The connection of one HTTP client, on two descriptors that may be one socket, as systemd, inetd or
 * ssh hand them over. One request, one answer, and it ends.
 *
 * Limits of time: once `timeout` has passed, a request must have come at a kilobyte a second; an
 * answer may take as long as its reader takes any of it within each `timeout`. A program that is to
 * stop ends all waits.
 *
 * Functions return 0; the status to refuse the request with (above 0); or -errno: the client has
 * gone, -ETIMEDOUT if it took nothing for too long, -EINTR. All with a message.
 */
#ifndef INFLUXFS_INFLUXSNAP_CONNECTION_H
#define INFLUXFS_INFLUXSNAP_CONNECTION_H

#include "store/influxsnap/http_request.h"

struct connection;

/* The descriptors stay the caller's. timeout: nanoseconds. -ENOMEM. */
int connection_open(int in, int out, int64_t timeout, struct connection **out_connection);
void connection_close(struct connection *c); /* NULL is allowed */

/* Who it is, for a log: an address, a user and process, or "standard input". */
const char *connection_peer(const struct connection *c);

/* What of that is the same for each connection of a client: the address, or the user; or empty. */
const char *connection_address(const struct connection *c);

/* The bytes that have been written, heads included. */
uint64_t connection_written(const struct connection *c);

/* Reads the head of the request. -ENODATA: the client closed without a byte. */
int connection_head(struct connection *c, struct http_request *out, struct err *e);

/* Appends the body of the request that was read, of at most `most` bytes. */
int connection_body(struct connection *c, const struct http_request *r, size_t most,
                    struct buffer *out, struct err *e);

/* Writes all of it. */
int connection_write(struct connection *c, const void *buf, size_t n, struct err *e);

/* After an answer that is whole: waits until the client has it, and reads what it still sends, so
 * that a reset does not cost it the answer. */
int connection_finish(struct connection *c, struct err *e);

#endif
