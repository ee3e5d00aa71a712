/* SPDX-License-Identifier: MIT */
#include "fs/xattrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define MAX_BYTES 65536

struct xattr {
    struct xattr *next;
    size_t len;
    char *value;
    char name[];
};

static struct xattr **find(const struct xattrs *x, const char *name)
{
    struct xattr **p = (struct xattr **)&x->first;
    while (*p && strcmp((*p)->name, name) != 0)
        p = &(*p)->next;
    return p;
}

static size_t cost(const struct xattr *a)
{
    return strlen(a->name) + 1 + a->len;
}

static void drop(struct xattrs *x, struct xattr **p)
{
    struct xattr *a = *p;
    if (!a)
        return;
    *p = a->next;
    x->bytes -= cost(a);
    free(a->value);
    free(a);
}

int xattrs_set(struct xattrs *x, const char *name, const void *value, size_t len, int flags)
{
    size_t n = strlen(name);
    if (strncmp(name, "user.", 5) != 0)
        return -EOPNOTSUPP;
    struct xattr **p = find(x, name);
    if (*p && (flags & XATTR_CREATE))
        return -EEXIST;
    if (!*p && (flags & XATTR_REPLACE))
        return -ENODATA;
    if (len > MAX_BYTES || x->bytes + n + 1 + len > MAX_BYTES)
        return -ENOSPC;
    struct xattr *a = malloc(sizeof(*a) + n + 1);
    char *copy = malloc(len ? len : 1);
    if (!a || !copy) {
        free(a);
        free(copy);
        return -ENOMEM;
    }
    memcpy(copy, value, len);
    memcpy(a->name, name, n + 1);
    a->len = len;
    a->value = copy;
    drop(x, p);
    a->next = x->first;
    x->first = a;
    x->bytes += cost(a);
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
        memcpy(value, a->value, a->len);
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
