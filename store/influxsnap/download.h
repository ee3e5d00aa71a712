/* SPDX-License-Identifier: MIT */
/*
 * One HTTP request to the `influxsnap serve` of another machine, by libcurl; its answer is pulled
 * piece by piece.
 *
 * Proxies come from the environment, certificates from the system, user and password from ~/.netrc.
 * No redirect is followed; a password in `host` is warned of. -EINTR when the program is to stop;
 * other errors have a message that names the server, without a password.
 */
#ifndef INFLUXFS_INFLUXSNAP_DOWNLOAD_H
#define INFLUXFS_INFLUXSNAP_DOWNLOAD_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct download;

/* Whether such a host can be: HOST[:PORT], a URL of http or https, with or without the /snapshot at
 * its end, or unix:PATH. -EINVAL. */
int download_check_host(const char *host, struct err *e);

/* Sends the request, and waits for the head of the answer. body: n bytes that go with the request,
 * and stay the caller's until the download is closed; NULL: none. timeout: how long, in
 * nanoseconds, no byte may come or go. */
int download_open(const char *host, const char *body, size_t n, int64_t timeout,
                  struct download **out, struct err *e);
void download_close(struct download *d); /* NULL is allowed */
static inline void download_closep(struct download **d)
{
    download_close(*d);
}

const char *download_name(const struct download *d); /* of what was asked for: its URL */
long download_status(const struct download *d);
const char *download_type(const struct download *d);     /* Content-Type, or "" */
const char *download_leads_to(const struct download *d); /* of a redirect; else NULL */
uint64_t download_size(const struct download *d);        /* Content-Length; 0: not said */

/* The values of the answer's fields Influxfs-Damaged. */
const char *const *download_damaged(const struct download *d, size_t *n);

/* Whether it was influxsnap serve that answered. */
bool download_is_ours(const struct download *d);

/* The next bytes, unchanged until the next call: their number, 0 at the end of an answer that is as
 * long as was said, or -errno. */
ssize_t download_next(struct download *d, const void **block, struct err *e);

#endif
