/* SPDX-License-Identifier: MIT */
/* The command line of influxfs. */
#ifndef INFLUXFS_FS_OPTIONS_H
#define INFLUXFS_FS_OPTIONS_H

#include "store/base/err.h"
#include "store/chain/rules.h"
#include "store/influx/paths.h"

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct options {
    char *store; /* an influxdb.conf or a folder */
    char *mountpoint;
    struct store_paths override; /* meta= data= wal= */
    char *state;                 /* state=, or NULL */
    char *owner;                 /* owner=USER[:GROUP], or NULL */
    uid_t owner_uid;             /* what it says, or -1 */
    gid_t owner_gid;
    int64_t every_ns;       /* every=, or 0 */
    uint64_t keep;          /* keep=, or 0 */
    struct cut_rules rules; /* reserve=, guard=, exclude= */
    int force, allow_left_out, keep_expired, skip_damaged, ro, foreground, debug, help, version;
    char *every_text, *keep_text, *reserve_text, *guard_text, *exclude_text;
    char *uid_text, *gid_text, *umask_text, *max_read;
    bool set_uid, set_gid, set_umask;
    uid_t uid;
    gid_t gid;
    mode_t umask;
    struct fuse_args fuse; /* what is left, for libfuse */
};

/* Reads the command line. -EINVAL, with words, for what cannot be understood; options that are
 * neither ours nor libfuse's are found by fuse_session_new. */
int options_parse(int argc, char **argv, struct options *out, struct err *e);
void options_free(struct options *o);

extern const char options_usage[];

#endif
