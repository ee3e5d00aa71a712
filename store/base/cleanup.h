/* SPDX-License-Identifier: MIT */
/*
 * Scope-bound release of memory, descriptors and directory streams.
 *
 * A variable declared with one of the attributes is released when it goes out of scope, on
 * every path. To hand the resource on, return steal_ptr(&p) or steal_fd(&fd). A descriptor
 * that was *written* must be closed with io_close() and its result checked instead.
 */
#ifndef INFLUXFS_BASE_CLEANUP_H
#define INFLUXFS_BASE_CLEANUP_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(fn) __attribute__((cleanup(fn)))
#define autofree cleanup(cleanup_free)
#define autoclose cleanup(cleanup_close)
#define autoclosedir cleanup(cleanup_closedir)

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_closedir(DIR **d)
{
    if (*d)
        closedir(*d);
}

static inline void *steal_ptr_(void *pp)
{
    void *p = *(void **)pp;
    *(void **)pp = NULL;
    return p;
}

/* Takes the pointer out of *pp, which becomes NULL. */
#define steal_ptr(pp) ((__typeof__(*(pp)))steal_ptr_(pp))

/* Takes the descriptor out of *fd, which becomes -1. */
static inline int steal_fd(int *fd)
{
    int r = *fd;
    *fd = -1;
    return r;
}

#endif
