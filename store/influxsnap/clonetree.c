/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/clone_internal.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/chain/placing.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static int finish_folder(int folder, const struct cut_entry *f)
{
    const struct timespec t = time_to_spec(f->attr.mtime_ns), times[2] = {t, t};
    autoclose int fd = openat(folder, f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchown(fd, f->attr.uid, f->attr.gid) < 0 ||
        fchmod(fd, f->attr.mode & 07777) < 0 || futimens(fd, times) < 0)
        return -errno;
    return 0;
}

static int clonetree_add(struct placing *p, int folder, const struct cut_entry *f, struct err *e)
{
    bool linked;
    if (snap_stopped(NULL))
        return err_set(e, -EINTR, "interrupted");
    if (!cut_is_folder(f))
        return placing_put(p, f, &f->attr, folder, f->path, &linked, e);
    return mkdirat(folder, f->path, 0700) < 0 ? err_sys(e, -errno, "the clone's %s", f->path) : 0;
}

int clonetree_build(struct cuts *c, const struct cutstate *s, int fd, struct err *e)
{
    size_t n;
    const struct cut_entry *entries = cutstate_entries(s, &n);
    cleanup(placing_closep) struct placing *p = NULL;
    int r = placing_open(c, &p, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = clonetree_add(p, fd, &entries[i], e);
    /* Innermost first, since making an entry changes a folder's time. */
    for (size_t i = n; r == 0 && i-- > 0;) {
        r = cut_is_folder(&entries[i]) ? finish_folder(fd, &entries[i]) : 0;
        if (r < 0)
            err_sys(e, r, "the clone's %s", entries[i].path);
    }
    return r;
}
