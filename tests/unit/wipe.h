/* SPDX-License-Identifier: MIT */
/* Removal of what a test has made, whatever it is. */
#ifndef TESTS_UNIT_WIPE_H
#define TESTS_UNIT_WIPE_H

#include "store/base/cleanup.h"
#include "store/base/rmtree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static inline bool wipe_all(const void *ctx, const char *path, const struct statx *st)
{
    (void)ctx;
    (void)path;
    (void)st;
    return true;
}

/* An absolute path. 0, or -errno. */
static inline int wipe(const char *path)
{
    autofree char *up = strdup(path);
    if (!up)
        abort();
    char *slash = strrchr(up, '/');
    *slash = 0;
    autoclose int dir = open(*up ? up : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? 0 : -errno;
    return rmtree(dir, slash + 1, &(struct rmtree_of){wipe_all, NULL}, NULL, NULL);
}

#endif
