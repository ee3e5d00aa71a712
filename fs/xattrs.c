/* SPDX-License-Identifier: MIT */
#include "fs/xattrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define MAX_BYTES 65536

struct xattr {
    struct xattr *next;
    size_t len;  /* of the value */
    char name[]; /* and a 0, and then the value */
};

static struct xattr **find(const struct xattrs *x, const char *name)
{
    struct xattr **p = (struct xattr **)&x->first;
    while (*p && strcmp((*p)->name, name) != 0)
        p = &(*p)->next;
    return p;
}

static void drop(struct xattrs *x, struct xattr **p)
{
    struct xattr *a = *p;
    if (!a)
        return;
    *p = a->next;
    x->bytes -= strlen(a->name) + 1 + a->len;
    free(a);
}

int xattrs_set(struct xattrs *x, const char *name, const void *value, size_t len, int flags)
{
    size_t n = strlen(name) + 1;
    if (strncmp(name, "user.", 5) != 0)
        return -EOPNOTSUPP;
    struct xattr **p = find(x, name);
    if (*p && (flags & XATTR_CREATE))
        return -EEXIST;
    if (!*p && (flags & XATTR_REPLACE))
        return -ENODATA;
    if (len > MAX_BYTES || x->bytes + n + len > MAX_BYTES)
        return -ENOSPC;
    struct xattr *a = malloc(sizeof(*a) + n + len);
    if (!a)
        return -ENOMEM;
    drop(x, p);
    *a = (struct xattr){x->first, len};
    memcpy(mempcpy(a->name, name, n), value, len);
    x->first = a;
    x->bytes += n + len;
    return 0;
}

ssize_t xattrs_get(const struct xattrs *x, const char *name, void *value, size_t max)
{
    const struct xattr *a = *find(x, name);
    if (!a)
        return -ENODATA;
    if (max && a->len > max)
        return -ERANGE;
    if (max)
        memcpy(value, a->name + strlen(a->name) + 1, a->len);
    return (ssize_t)a->len;
}

ssize_t xattrs_list(const struct xattrs *x, char *list, size_t max)
{
    size_t used = 0;
    for (const struct xattr *a = x->first; a; a = a->next) {
        size_t n = strlen(a->name) + 1;
        if (max && used + n > max)
            return -ERANGE;
        if (max)
            memcpy(list + used, a->name, n);
        used += n;
    }
    return (ssize_t)used;
}

int xattrs_remove(struct xattrs *x, const char *name)
{
    struct xattr **p = find(x, name);
    if (!*p)
        return -ENODATA;
    drop(x, p);
    return 0;
}

void xattrs_clear(struct xattrs *x)
{
    while (x->first)
        drop(x, &x->first);
}
