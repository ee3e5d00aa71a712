/* SPDX-License-Identifier: MIT */
/* The files of a clone, in the order of the cut's manifests: only the folders of one path are open. */
#include "store/influxsnap/clone_internal.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/chain/placing.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* A folder that is being filled. */
struct filled {
    int fd;
    size_t len; /* of its path; 0: the clone's own */
    struct file_attr attr;
};

struct clonetree {
    struct placing *placing;
    struct filled *in; /* each is a folder of the one before it */
    size_t n;
    char path[PATH_MAX]; /* of the last one */
};

static void clonetree_clear(struct clonetree *t)
{
    for (size_t i = 1; i < t->n; i++) /* the first is the caller's */
        cleanup_close(&t->in[i].fd);
    free(t->in);
    placing_close(t->placing);
}

/* The last folder gets what the making of entries would change. */
static int clonetree_leave(struct clonetree *t, struct err *e)
{
    const struct filled *f = &t->in[t->n - 1];
    const struct timespec at = time_to_spec(f->attr.mtime_ns), times[2] = {at, at};
    int r = fchown(f->fd, f->attr.uid, f->attr.gid) < 0 ||
                    fchmod(f->fd, f->attr.mode & 07777) < 0 || futimens(f->fd, times) < 0
                ? err_sys(e, -errno, "the clone's %s", t->path)
                : 0;
    cleanup_close(&f->fd);
    t->n--;
    t->path[t->in[t->n - 1].len] = 0;
    return r;
}

static int clonetree_enter(struct clonetree *t, const struct cut_entry *f, struct err *e)
{
    const int folder = t->in[t->n - 1].fd;
    const char *name = path_last(f->path);
    if (!array_grow(&t->in, t->n))
        return err_sys(e, -ENOMEM, "clone");
    int fd = mkdirat(folder, name, 0700) < 0
                 ? -1
                 : openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, -errno, "the clone's %s", f->path);
    t->in[t->n++] = (struct filled){fd, strlen(f->path), f->attr};
    strcpy(t->path, f->path);
    return 0;
}

static int clonetree_add(struct clonetree *t, const struct cut_entry *f, struct err *e)
{
    bool linked;
    int r = snap_stopped(NULL) ? err_set(e, -EINTR, "interrupted") : 0;
    while (r == 0 && t->n > 1 && !path_below(f->path, t->path))
        r = clonetree_leave(t, e);
    if (r < 0)
        return r;
    const size_t len = t->in[t->n - 1].len;
    const char *name = f->path + len + (len > 0);
    if (strchr(name, '/'))
        return err_set(e, -EBADMSG, "the cut has no folder for %s", f->path);
    if (cut_is_folder(f))
        return clonetree_enter(t, f, e);
    return placing_put(t->placing, f, &f->attr, t->in[t->n - 1].fd, name, &linked, e);
}

int clonetree_build(const struct cutuse *u, int fd, struct err *e)
{
    cleanup(clonetree_clear) struct clonetree t = {0};
    cleanup(cutstream_freep) struct cutstream *s = NULL;
    const struct cut_entry *f = NULL;
    if (!array_grow(&t.in, t.n))
        return err_sys(e, -ENOMEM, "clone");
    t.in[t.n++] = (struct filled){.fd = fd};
    int r = placing_open(cutuse_cuts(u), &t.placing, e);
    if (r == 0)
        r = cutuse_stream(u, &s, e);
    while (r == 0 && (r = cutstream_next(s, &f, e)) == 0 && f)
        r = clonetree_add(&t, f, e);
    while (r == 0 && t.n > 1)
        r = clonetree_leave(&t, e);
    return r;
}
