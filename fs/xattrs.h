/* SPDX-License-Identifier: MIT */
/* The user.* attributes of one file, in memory. Not locked. */
#ifndef INFLUXFS_FS_XATTRS_H
#define INFLUXFS_FS_XATTRS_H

#include <stddef.h>
#include <sys/types.h>

struct xattr;
struct xattrs {
    struct xattr *first;
    size_t bytes;
};

/* As setxattr(2). Only user.* is accepted (-EOPNOTSUPP), 64 KiB in all (-ENOSPC). */
int xattrs_set(struct xattrs *x, const char *name, const void *value, size_t len, int flags);
/* As the system calls: the length, -ENODATA, or -ERANGE; max 0 asks for the length only. */
ssize_t xattrs_get(const struct xattrs *x, const char *name, void *value, size_t max);
ssize_t xattrs_list(const struct xattrs *x, char *list, size_t max);
int xattrs_remove(struct xattrs *x, const char *name);
void xattrs_clear(struct xattrs *x);

#endif
