/* SPDX-License-Identifier: MIT */
/* For the files of a remote: one run of rclone on a path of it. Messages begin with the remote and the
 * path; what: what failed, such as "cannot be listed". Nothing here is tried again. */
#ifndef INFLUXFS_NIGHTLY_REMOTE_INTERNAL_H
#define INFLUXFS_NIGHTLY_REMOTE_INTERNAL_H

#include "mount-helper/nightly/remote.h"
#include "mount-helper/nightly/remote_child.h"

/* What a store keeps of an upload that was killed. */
enum remote_kind { REMOTE_OTHER, REMOTE_SWIFT, REMOTE_S3 };

struct remote {
    const char *name;
    char shown[256]; /* the name without secrets */
    char *program;
    char *const *extra;
    char **env[2];                   /* to ask, to upload: the arrays are ours, their texts not */
    int64_t patience;                /* nanoseconds */
    struct remote_child_times times; /* until: see remote_wind_up */
    bool asked;                      /* the two that follow are known */
    bool reads_to_sum;               /* it would read an object to say its MD5 */
    enum remote_kind kind;
};

/* After the name of a container, of the one in which rclone keeps the segments of its large objects, as
 * OBJECT/TIME/SIZE/NUMBER. */
#define REMOTE_SEGMENTS "_segments"

/* What rclone is told by its environment. The array is the caller's to free, its texts are not. NULL:
 * -ENOMEM. */
char **remote_settings_environment(bool uploads);

/* words: the command and its flags, ended by NULL; the user's and the path are added. */
int remote_start(struct remote *r, const char *const *words, const char *path,
                 enum remote_child_use use, struct remote_child **out, struct err *e);

/* Waits for its end. 0: it ended well. */
int remote_finish(const struct remote *r, struct remote_child *c, const char *path,
                  const char *what, struct err *e);

int remote_run(struct remote *r, const char *const *words, const char *path, const char *what,
               struct err *e);

/* Appends its output. -EFBIG: more than max bytes. */
int remote_capture(struct remote *r, const char *const *words, const char *path, const char *what,
                   size_t max, struct buffer *out, struct err *e);

/* Writes such a message, with what is to be done about the code. */
int remote_failed(const struct remote *r, int code, const char *path, const char *what,
                  const char *why, struct err *e);

/* The same where the pipe to or from rclone gave this code; -EINTR: this program is to stop. What has come
 * until then is not all, however rclone ends. */
int remote_cut_short(const struct remote *r, ssize_t code, const char *path, const char *what,
                     struct err *e);

/* Learns `reads_to_sum` and `kind`, once. */
int remote_ask(struct remote *r, struct err *e);
int remote_ask_patiently(struct remote *r, struct err *e);

/* The root of a remote with a base in it, as a remote that is only borrowed; and a path of r as a path of
 * that. Both have to be given back. */
struct remote_root {
    struct remote remote;
    char *name, *path;
};
int remote_root_of(const struct remote *r, const char *path, struct remote_root *out,
                   struct err *e);
void remote_root_free(struct remote_root *o);

/* In the path of a root: the same in the container of the segments, in fresh memory. */
char *remote_segments(const char *path);

/* Whether a listing of its folder has this object: 0, or -ENOENT. */
int remote_listed(struct remote *r, const char *path, struct err *e);

/* A pattern of rclone's filters that only this name in a folder matches, in fresh memory. */
char *remote_pattern(const char *name);

#endif
