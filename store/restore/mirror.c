/* SPDX-License-Identifier: MIT */
#include "store/restore/mirror.h"

#include "store/base/cleanup.h"
#include "store/base/copying.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/influx/written.h"
#include "store/restore/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The path of what is being mirrored grows and shrinks in one place. */
struct mirroring {
    struct mirror *m;
    char path[PATH_MAX];
    struct err *e;
};

static int failed(const struct mirroring *w, int code)
{
    return err_sys(w->e, code, "staging %s", w->path);
}

/* Labels are no reason to fail: they are told once. */
static int mirror_labels(struct mirroring *w, int from, int to)
{
    char label[XATTR_NAME_MAX + 1];
    struct mirror *m = w->m;
    int r = labels_copy(from, to, label);
    if (r == -ENOMEM)
        return r;
    if (r < 0 && !m->told && m->lacks)
        m->lacks(m->arg, w->path, label, r);
    m->told |= r < 0;
    return 0;
}

/* Gives it the other's owner, mode, labels and times. */
static int mirror_attributes(struct mirroring *w, int from, int to, const struct stat *st)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (geteuid() == 0 && fchown(to, st->st_uid, st->st_gid) < 0)
        return -errno;
    /* The mode would cut down an ACL, whose mask it is; so the ACL, which holds a mode, comes
     * last. */
    if (fchmod(to, st->st_mode & 07777) < 0)
        return -errno;
    int r = mirror_labels(w, from, to);
    return r < 0 ? r : futimens(to, times) < 0 ? -errno : 0;
}

static int mirror_copy(struct mirroring *w, int from, int to, const char *name)
{
    struct stat st;
    autoclose int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || fstat(in, &st) < 0)
        return -errno;
    autoclose int out =
        openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return -errno;
    int r = copying_file(in, out);
    if (r == 0)
        r = mirror_attributes(w, in, out, &st);
    return r < 0 ? r : io_close(&out);
}

static int mirror_symlink(int from, int to, const char *name, const struct stat *st)
{
    char target[PATH_MAX];
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);
    if (n < 0)
        return -errno;
    target[n] = 0;
    if (symlinkat(target, to, name) < 0 ||
        (geteuid() == 0 && fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0) ||
        utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

static int mirror_file(struct mirroring *w, int from, int to, const char *name,
                       const struct stat *st)
{
    if (S_ISREG(st->st_mode) && written_in_place(w->path))
        return mirror_copy(w, from, to, name);
    int r = linkat(from, name, to, name, 0) < 0 ? -errno : 0;
    if (copying_instead(r) && S_ISREG(st->st_mode))
        return mirror_copy(w, from, to, name);
    return copying_instead(r) && S_ISLNK(st->st_mode) ? mirror_symlink(from, to, name, st) : r;
}

static int mirror_contents(struct mirroring *w, int from, int to);

static int mirror_folder(struct mirroring *w, int from, int to, const char *name, bool contents)
{
    struct stat st;
    if (mkdirat(to, name, 0700) < 0)
        return failed(w, -errno);
    autoclose int in = io_open_beneath(from, name, O_RDONLY | O_DIRECTORY);
    autoclose int out = in < 0 ? in : io_open_beneath(to, name, O_RDONLY | O_DIRECTORY);
    if (out < 0)
        return failed(w, out);
    int r = contents ? mirror_contents(w, in, out) : 0;
    if (r < 0)
        return r;
    r = fstat(in, &st) < 0 ? -errno : mirror_attributes(w, in, out, &st);
    return r < 0 ? failed(w, r) : 0;
}

static int mirror_entry(struct mirroring *w, int from, int to, const char *name)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(w, -errno);
    enum mirror_choice choice = w->m->choose(w->m->arg, w->path, st.st_mode);
    if (choice == MIRROR_NOT)
        return 0;
    if (S_ISDIR(st.st_mode))
        return mirror_folder(w, from, to, name, choice == MIRROR_ALL);
    int r = mirror_file(w, from, to, name, &st);
    return r < 0 ? failed(w, r) : 0;
}

static int mirror_contents(struct mirroring *w, int from, int to)
{
    cleanup(dir_free) struct dir list = {0};
    const size_t top = strlen(w->path);
    int r = dir_read(from, &list);
    if (r < 0)
        return failed(w, r);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        int n = snprintf(w->path + top, sizeof(w->path) - top, "/%s", list.names[i]);
        r = n < (int)(sizeof(w->path) - top) ? mirror_entry(w, from, to, list.names[i])
                                             : failed(w, -ENAMETOOLONG);
        w->path[top] = 0;
    }
    return r;
}

int mirror_run(struct mirror *m, struct err *e)
{
    struct mirroring w = {.m = m, .e = e};
    snprintf(w.path, sizeof(w.path), "%s", m->name);
    return mirror_contents(&w, m->from, m->to);
}
