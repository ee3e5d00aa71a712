/* SPDX-License-Identifier: MIT */
/*
 * An upload that ends right or says why it does not: summed on the way, verified, and tried again while
 * the remote does not answer.
 *
 * Each attempt begins anew, from the same bytes, under a name of its own (NAME, then NAME with -2, -3, …
 * before its first dot), so that a late segment of a dead attempt cannot be mixed into the next; under the
 * same one if `fixed`. What a dead attempt left is removed. Verified are the size as the store answers
 * for it, and the MD5 where the store knows it; or, with PUTTING_READ, size and SHA-256 of what is read
 * back. PUTTING_UNSEEN is for what may be lost: that the store has said yes is enough.
 */
#ifndef INFLUXFS_NIGHTLY_PUTTING_H
#define INFLUXFS_NIGHTLY_PUTTING_H

#include "mount-helper/nightly/remote.h"
#include "store/base/sha256.h"
#include "store/influxsnap/meter.h"

enum putting_verify { PUTTING_SIZE, PUTTING_READ, PUTTING_UNSEEN };
struct putting {
    struct remote *remote; /* its patience counts (remote_set_patience), from the last byte on */
    enum putting_verify verify;
    struct meter *meter; /* may be NULL; what a failed attempt has added is taken back */
    bool fixed;
};

/* What is known of an object afterwards. */
struct put_object {
    char *name; /* the last part of its path; the caller's to free */
    uint64_t size;
    char sha256[SHA256_HEX + 1]; /* hexadecimal, of the bytes that were sent */
    char md5[33]; /* likewise; as the store says where rclone compares it; "": not known */
};

/* folder: such as "2016-06-11/2016-06-11/shards". Errors as remote_put's; -EBADMSG: what arrived is not
 * what was sent, twice; it has been removed. After an error nothing of it counts, and what could not be
 * removed is named. */
int putting_object(const struct putting *p, const char *folder, const char *name,
                   const struct remote_source *s, struct put_object *out, struct err *e);

/* The SHA-256 of an object that lies there, and should have so many bytes, which is read whole. Errors as
 * those of remote_read_open. */
int putting_sum(struct remote *r, const char *path, uint64_t size, char sha256[SHA256_HEX + 1],
                struct err *e);

#endif
