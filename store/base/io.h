/* SPDX-License-Identifier: MIT */
/*
 * Whole reads and writes, paths below a folder, durable files.
 *
 * All functions return 0 (or what they say) or a negative errno, and are safe in any thread.
 * Descriptors that they return are close-on-exec and belong to the caller. No function follows a
 * symbolic link in the last component of a path below a folder.
 */
#ifndef INFLUXFS_BASE_IO_H
#define INFLUXFS_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Reads exactly n bytes at off. A file that ends before that is -ENODATA, never a short read. */
int io_pread_all(int fd, void *buf, size_t n, uint64_t off);

/* Has the kernel fetch from the disk, soon, what it does not have in memory of the n bytes at off. */
void io_advise(int fd, size_t n, uint64_t off);

/* Writes all n bytes, at the descriptor's position or at off. */
int io_write_all(int fd, const void *buf, size_t n);
int io_pwrite_all(int fd, const void *buf, size_t n, uint64_t off);

/* Reads a whole regular file of at most max bytes into fresh memory, a NUL appended (not counted).
 * -EFBIG if it is larger. *buf belongs to the caller (free). */
int io_read_file(int dirfd, const char *path, size_t max, char **buf, size_t *len);

/* Closes *fd, which becomes -1, and reports what close(2) says. For descriptors written to. */
int io_close(int *fd);

/* A file without a name, for reading and writing, in the folder of the environment's TMPDIR, else
 * /var/tmp: what is in it may be large. The descriptor, or -errno. */
int io_open_temporary(void);
const char *io_temporary_folder(void); /* for messages */

/* Flushes the entries of a folder to disk. */
int io_sync_dir(int fd);

/* Makes dirfd/name hold exactly these bytes, or leaves it as it was: temporary file beside it
 * (name plus ".tmp"), write, fsync, rename, fsync of the folder. */
int io_replace_file(int dirfd, const char *name, const void *buf, size_t len, mode_t mode);

/* Opens a new file without a name in a folder, to be written and read. */
int io_open_nameless(int dirfd, const char *folder);

/* openat2(2), with its RESOLVE_… -ENOSYS: missing (before Linux 5.6) or forbidden (in some
 * containers). */
int io_openat2(int dirfd, const char *path, int flags, uint64_t resolve);

/* Opens rel ("a/b/c") below dirfd, each component by itself and without following links, so that
 * nothing outside can be reached: -ELOOP or -ENOTDIR for a link on the way, -EINVAL for an
 * absolute path, an empty component, "." or "..". rel "" opens the folder itself. */
int io_open_beneath(int dirfd, const char *rel, int flags);

/* fstat of rel below dirfd with the same guarantees; a link as last component is reported as a
 * link. */
int io_stat_beneath(int dirfd, const char *rel, struct stat *st);

/* As fstatat, a link as last component for itself, but a network disk is asked, whatever this machine
 * remembers of the file. path "": what is open at dirfd. */
int io_stat_fresh(int dirfd, const char *path, struct stat *st);

/* mkdir -p. Each new folder gets mode and, unless uid is (uid_t)-1, the owner. Existing folders are
 * left as they are. */
int io_mkdir_p(const char *path, mode_t mode, uid_t uid, gid_t gid);

/* Makes sure that descriptors 0, 1 and 2 are open: files opened later must not take their place, where
 * messages would be written into them. Writing to one that was closed fails as before. For the
 * beginning of a program. */
void io_guard_stdio(void);

#endif
