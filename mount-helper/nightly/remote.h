/* SPDX-License-Identifier: MIT */
/*
 * Object storage, by rclone(1): what is here is all that knows of it.
 *
 * A remote is NAME:, NAME:BASE or a folder of this machine, as users of rclone write it and value_remote
 * (store/program/values.h) lets through: without secrets. A path is below it, such as
 * "2016-06-11/2016-06-11/shards/x.tar"; its first part is the container. rclone is found on PATH and
 * runs as a child, once for each call, with the caller's environment (RCLONE_CONFIG, RCLONE_SWIFT_KEY, …)
 * and with what the user gave after "--". No secret is put on a command line, nor into a message.
 *
 * Errors, all with a message that names the remote and the path, and rclone's last error in one line:
 *
 *   -ENOENT   there is no such container, folder or object
 *   -EACCES   the store refuses this user
 *   -ENOSPC   it is full, or a quota is
 *   -EAGAIN   it does not answer, answers that it cannot now, or a connection broke; after as much
 *             patience as the remote has: all calls but remote_put try again (remote_retry.h)
 *   -EINTR    the program is to stop (snap_stopped); the child has been ended
 *   -ENOEXEC  rclone is missing, too old, or does not know the remote
 *   -EBADMSG  what rclone printed cannot be read; of an upload: it was spoilt on the way; of an object
 *             that is read: it has another size than it should have
 *   -EIO      all else
 *
 * A child ends with the thread that started it: one thread for each remote, which outlives the call
 * and the reader.
 */
#ifndef INFLUXFS_NIGHTLY_REMOTE_H
#define INFLUXFS_NIGHTLY_REMOTE_H

#include "store/base/buffer.h"
#include "store/base/err.h"
#include "store/base/time.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct remote;

/* Whether the user's words for rclone can be taken: as remote_open. */
int remote_check_extra(char *const *extra, struct err *e);

/* name and extra (ends with NULL; may be NULL) are borrowed. Looks whether rclone is there and knows
 * the remote; nothing is asked of the store itself. -EINVAL: extra has a flag that filters what rclone
 * lists and removes, or changes what it prints. Variables that do so are kept from it. */
int remote_open(const char *name, char *const *extra, struct remote **out, struct err *e);
void remote_close(struct remote *r); /* NULL is allowed */
const char *remote_name(const struct remote *r);
const char *remote_slash(const struct remote *r); /* between the name and a path: "/" or "" */

/* For how long, in nanoseconds, a remote that does not answer is tried again, from its last answer on;
 * 0, as it begins: not at all. Returns what it was. */
int64_t remote_set_patience(struct remote *r, int64_t ns);

/* For clearing up after a failure: without patience, and until so many nanoseconds from now also though
 * the program is to stop, instead of failing with -EINTR at once. 0: as before. */
void remote_wind_up(struct remote *r, int64_t ns);
#define REMOTE_WIND_UP_NS (20 * SECOND_NS) /* of a service manager's patience */

/* What lies in a folder. */
struct remote_entry {
    char *name;    /* one part of a path: never with '/', ".", ".." or control bytes */
    uint64_t size; /* bytes; of a folder 0 */
    bool folder;   /* or container */
};
struct remote_list {
    struct remote_entry *at; /* in the order of strcmp(3) */
    size_t n;
};

/* Lists what lies directly in path; "" is the remote itself. Object stores know no folders but containers:
 * others that are not there are empty. -EFBIG: more than a million entries. Names that are no parts of a
 * path are left out. */
int remote_list(struct remote *r, const char *path, struct remote_list *out, struct err *e);
void remote_list_clear(struct remote_list *l); /* it is as new then */
const struct remote_entry *remote_list_find(const struct remote_list *l, const char *name);

/* One object, as the store answers for it. */
struct remote_stat {
    uint64_t size;
    char md5[33]; /* hexadecimal; "" if the store does not know it without reading the object */
};
int remote_stat(struct remote *r, const char *path, struct remote_stat *out, struct err *e);

int remote_make(struct remote *r, const char *folder, struct err *e); /* 0 if it is there */
int remote_remove(struct remote *r, const char *path,
                  struct err *e); /* an object; 0 if not there */
/* A folder or container, if it is empty but for empty folders, which go as well; 0 also if it is not, or is
 * not there. */
int remote_remove_empty(struct remote *r, const char *path, struct err *e);
/* Likewise with all that it lies in. */
int remote_remove_folders(struct remote *r, const char *path, struct err *e);

/* Removes what uploads that were killed have left of objects in a folder, in its container's segments
 * (Swift) or as parts of an upload that was never finished (S3): of names that `ours` says yes to, and
 * that are not there as objects, as both a listing and the store itself say. 0 if there is nothing, or the
 * store keeps no such things. */
typedef bool remote_ours(void *ctx, const char *name);
int remote_sweep(struct remote *r, const char *folder, remote_ours *ours, void *ctx, struct err *e);

/* Appends a small object to *out. -EFBIG: it is larger than max. */
int remote_get(struct remote *r, const char *path, size_t max, struct buffer *out, struct err *e);

/* An object that should have so many bytes, read in order. A connection that breaks is taken up again
 * where it broke. The store is asked for the size only if other bytes come; nothing is asked to open it. */
struct remote_reader;
int remote_read_open(struct remote *r, const char *path, uint64_t size, struct remote_reader **out,
                     struct err *e);
/* At least one byte and at most n > 0; 0 at the end, which is said only if rclone ended well. */
ssize_t remote_read(struct remote_reader *f, void *buf, size_t n, struct err *e);
void remote_read_close(struct remote_reader *f); /* also in the middle; NULL is allowed */

/* What is uploaded. */
#define REMOTE_SIZE_UNKNOWN UINT64_MAX
struct remote_source {
    /* At least one byte and at most n, at off, which begins at 0 with each attempt and moves on by what
     * came; 0 at the end. The same bytes in each attempt. */
    ssize_t (*read)(void *ctx, void *buf, size_t n, uint64_t off, struct err *e);
    void *ctx;
    uint64_t
        size; /* REMOTE_SIZE_UNKNOWN: where read says 0. Some stores take that only up to 48 GB, and
                    * some by way of a temporary file: give the size where it is known. */
};

/* One attempt to upload an object; its container is made if missing. Only a whole object is ever
 * committed: rclone sees an end of its input only after read has said 0, or `size` bytes, even if this
 * program is killed. An error of read is returned as it is; -EIO if it ends before `size`, or goes on
 * after it. What an attempt that failed has left (folders of a file system keep a part) is the caller's to
 * remove: remote_remove, remote_sweep. */
int remote_put(struct remote *r, const char *path, const struct remote_source *s, struct err *e);

/* Whether rclone itself compares the MD5 of what it was given with that of what the store has got, before
 * it ends well: to Swift. To S3 it does not, if an object goes as one request. */
int remote_compares(struct remote *r, bool *out, struct err *e);

#endif
