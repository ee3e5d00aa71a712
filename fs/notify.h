/* SPDX-License-Identifier: MIT */
/*
 * What the service manager is told of the daemon: datagrams to the socket that NOTIFY_SOCKET names,
 * as sd_notify(3) sends them. Where that is not set there is no struct notify (NULL), and nothing
 * is told. A datagram that cannot be sent is no error of the daemon: it is logged, once.
 *
 * notify_status is safe in any thread; all else is for the thread that opened it.
 */
#ifndef INFLUXFS_FS_NOTIFY_H
#define INFLUXFS_FS_NOTIFY_H

#include "store/base/err.h"

#include <stdbool.h>

struct notify;

/* Takes NOTIFY_SOCKET out of the environment, so that no child has it. *out is NULL where it is not
 * set, and after an error: -EINVAL: not an address of a socket; others from the system. Call it in
 * the process that is to be the daemon. */
int notify_open(struct notify **out, struct err *e);
void notify_close(struct notify *n);

/* The start takes long, for this reason: asks for more time again and again, until it is ready, has
 * failed, or notify_close. */
void notify_delay(struct notify *n, const char *words);

/* Ready, unless the mount is hidden from all others: -ENOENT with a message if pid 1 does not see
 * it. Where pid 1's mounts cannot be read, STATUS says that from now on. detached: this process is
 * not the one that was started. */
int notify_ready(struct notify *n, const char *mountpoint, bool detached, struct err *e);

/* How it stands, in words; sent if they have changed, and the start has not failed. */
void notify_status(struct notify *n, const char *words);

void notify_failed(struct notify *n, int code, const char *words); /* the start did; -errno */
void notify_stopping(struct notify *n);

#endif
