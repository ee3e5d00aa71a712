/* SPDX-License-Identifier: MIT */
/* The parts of the daemon's life, for main.c. */
#ifndef INFLUXFS_FS_DAEMON_H
#define INFLUXFS_FS_DAEMON_H

#include "store/base/log.h"
#include "store/influx/paths.h"
#include "store/program/options.h"

#include <sys/stat.h>

struct fuse_args;
struct fuse_session;

/* The command line (arguments.c) */

/* Reads the command line. Arguments for libfuse go to *left; the caller frees it and clears *out,
 * also after a failure. -EINVAL, with the reason, also for an option that libfuse does not know. */
int arguments_parse(int argc, char **argv, struct options *out, struct fuse_args *left,
                    struct err *e);

/* Prints the help to stdout. */
void arguments_help(void);

/* The mountpoint (mountpoint.c) */

/* Gives the mountpoint's absolute path, which the caller frees, and makes sure that it can be used:
 * unmounts what a killed influxfs left there. It may be missing with the option mkdir. -EBUSY:
 * something else is mounted there; -EINVAL: it is not apart from the store; -ENOTDIR, -ENOENT. */
int mountpoint_prepare(const struct options *o, const struct store_paths *store, char **out,
                       struct err *e);

/* Makes that path where it is missing, and its parents. They are not removed again: something else
 * may count on them by then. -errno. */
int mountpoint_make(const char *path, struct err *e);

/* At the end: unmounts the file system, which is of this device, and only that. false: something
 * else is mounted upon it or covers it, which is logged, or it is not mounted there; then requests
 * fail from now on, and the session must not be destroyed. */
bool mountpoint_leave(struct fuse_session *session, const char *path, dev_t device);

/* fuse_session_mount, on a mountpoint of mountpoint_prepare, with why it failed and what to do about
 * it in *e (mounting.c). Takes standard error meanwhile: a line of another thread would be taken for
 * the reason. -errno. */
int mounting_do(struct fuse_session *session, const char *mountpoint, struct err *e);

/* Going to the background (detach.c). The process forks before it opens anything. The child does
 * the whole start and still has the terminal for its errors; the parent waits and exits with the
 * verdict. Until then the child stays in its session and process group: an automounter knows by the
 * group who may use the mount point before the mount is there. */

/* Forks. The parent does not return: it exits with what the child reports; if the parent is killed
 * first, the child gets SIGTERM. The child gets a descriptor for detach_ready, or -errno if the fork
 * failed. */
int detach_start(void);

/* The start went well: the parent exits with 0, the child leads a session, and its standard streams
 * go to /dev/null. If the process ends without this call, the parent exits with 1. */
void detach_ready(int fd);

/* Lets influxd go first: snapshots are background work. Call before other threads start, which
 * inherit it; detach_ready does its part then. A process that neither goes to the background nor
 * leads its session gives no way: somebody looks at it. */
void detach_give_way(bool background);

/* Where the log (store/base/log.h) and libfuse's messages go (logger.c): to stderr, each line after
 * "influxfs: "; once in the background, to syslog(3) with the priority of the level. */

void logger_start(enum log_level most); /* may be called again, for another level */
void logger_to_syslog(void);

/* From now on logs libfuse's lines as they come; or (keep) only keeps the last one. */
void logger_take_fuse(bool keep);
const char *logger_fuse_words(void);

/* Asks the kernel for two things (init_flags.c). Call after fuse_session_mount, before the first
 * request. -errno.
 *
 * That files which bypass the page cache can be mapped (mmap, and MAP_SHARED for reading), on Linux
 * from 6.6. Bypassing makes tars and dumps much faster to read; since they never change, a mapping
 * always agrees.
 *
 * That the mount cannot be exported over NFS, on Linux from 6.10. A client's handle of a file outlives
 * the node, and would fail for no reason that its user could see. */
int init_flags_ask(struct fuse_session *session);

#endif
