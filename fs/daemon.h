/* SPDX-License-Identifier: MIT */
/* The life of the daemon, in its parts, for main.c. */
#ifndef INFLUXFS_FS_DAEMON_H
#define INFLUXFS_FS_DAEMON_H

#include "store/base/log.h"
#include "store/influx/paths.h"
#include "store/program/options.h"

struct fuse_args;
struct fuse_session;

/* The command line (arguments.c) */

/* Reads the command line; what is not ours is left for libfuse in *left, which the caller frees as
 * he clears *out, also after a failure. -EINVAL, with the reason, for what cannot be understood;
 * options that are neither ours nor libfuse's are found by fuse_session_new. */
int arguments_parse(int argc, char **argv, struct options *out, struct fuse_args *left,
                    struct err *e);

/* Prints the help to stdout. */
void arguments_help(void);

/* The folder that is mounted on (mountpoint.c) */

/* Gives the mountpoint's absolute path, which the caller frees, and makes sure that it can be used.
 * What a killed influxfs left mounted there is unmounted. -EBUSY: something else is mounted there;
 * -EINVAL: it lies within the store; -ENOTDIR, -ENOENT. */
int mountpoint_prepare(const char *path, const struct store_paths *store, char **out,
                       struct err *e);

/* Going to the background, with the news of whether the start went well (detach.c): the process forks
 * before it opens anything. The child does all of the start, with the terminal still in its hands, so
 * that errors are read where the command was typed; the parent waits and ends with the verdict. */

/* Forks. In the parent it does not return: it exits with what the child reports. In the child it
 * gives a descriptor for detach_ready; -errno when there can be no child. */
int detach_start(void);

/* The start went well: the parent exits with 0, and standard input, output and error go to
 * /dev/null. If the process ends without calling it, the parent exits with 1. */
void detach_ready(int fd);

/* Lets influxd go first: a snapshot is background work. Where the kernel groups processes by
 * session (autogroup, the default) a nice value counts within the session only, and the session has
 * one of its own; so this is done by a process that leads its session, as a daemon does. */
void detach_give_way(void);

/* Makes sure that descriptors 0, 1 and 2 are open, or files opened later would take their place. */
void detach_guard_stdio(void);

/* Where the log (store/base/log.h) and libfuse's own words go (logger.c): stderr, a line each after
 * "influxfs: ", until influxfs goes to the background; then syslog(3), with the priority of its
 * level. */

void logger_start(enum log_level most); /* may be called again, for another level */
void logger_to_syslog(void);

/* From now on libfuse's lines are logged as they come; or the last one is kept instead. */
void logger_take_fuse(bool keep);
const char *logger_fuse_words(void);

/* Files whose data bypass the page cache can be mapped (mmap, MAP_SHARED for reading too), where the
 * kernel has that: Linux from 6.6 (mapping.c). Bypassing makes tars and dumps much faster to read.
 * Since they never change, nothing can be seen differently through a mapping.
 *
 * After fuse_session_mount, before the first request. -errno. */
int mapping_allow(struct fuse_session *session);

#endif
