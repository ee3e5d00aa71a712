/* SPDX-License-Identifier: MIT */
#include "store/restore/unchanged.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct look {
    const struct target *t;
    struct sha256 *sum;
};

static void unchanged_add(const struct look *l, const char *name, const struct stat *st)
{
    const bool folder = S_ISDIR(st->st_mode);
    const uint64_t what[] = {st->st_mode & S_IFMT, folder ? 0 : (uint64_t)st->st_size,
                             (uint64_t)st->st_ino, (uint64_t)st->st_mtim.tv_sec,
                             (uint64_t)st->st_mtim.tv_nsec};
    sha256_add(l->sum, name, strlen(name) + 1);
    sha256_add(l->sum, what, sizeof(what));
}

static int unchanged_folder(const struct look *l, int fd, bool top)
{
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        struct stat st;
        const char *name = list.names[i];
        if (top && target_is_own_entry(l->t, name))
            continue;
        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
        unchanged_add(l, name, &st);
        if (!S_ISDIR(st.st_mode))
            continue;
        autoclose int below = io_open_beneath(fd, name, O_RDONLY | O_DIRECTORY);
        r = below < 0 ? below : unchanged_folder(l, below, false);
    }
    sha256_add(l->sum, "", 1); /* the folder's end */
    return r;
}

int unchanged_digest(const struct targets *t, uint8_t out[SHA256_BYTES], struct err *e)
{
    cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
    struct sha256 *sum = sha256_new();
    int r = sum ? targets_open_store(t, fds, e) : err_sys(e, -ENOMEM, "restore");
    for (int i = 0; r == 0 && i < TARGETS; i++) {
        const struct look l = {&t->at[i], sum};
        if (fds[i] < 0) /* as an empty one: it may be made meanwhile, by the restore itself */
            sha256_add(sum, "", 1);
        r = fds[i] < 0 ? 0 : unchanged_folder(&l, fds[i], true);
        if (r < 0)
            err_sys(e, r, "%s: cannot be looked at", t->at[i].path);
        sha256_add(sum, "", 1);
    }
    if (r == 0)
        sha256_end(sum, out);
    sha256_free(sum);
    return r;
}
