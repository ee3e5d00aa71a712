/* SPDX-License-Identifier: MIT */
/* A set as a tar: recognized, and unpacked into a folder, in which it is judged (set_open). */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/restore/tar_strict.h"
#include "store/sets/set.h"
#include "store/sets/set_name.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The beginning of a tar, of which more may come. */
struct beginning {
    const void *p;
    size_t n;
    bool all; /* no more will come */
};

static ssize_t give_beginning(void *arg, int if_ended, const void **block)
{
    struct beginning *b = arg;
    size_t n = b->n;
    (void)if_ended;
    *block = b->p;
    b->n = 0;
    return n || b->all ? (ssize_t)n : -EAGAIN;
}

static void close_tar(struct tar_strict **t)
{
    tar_strict_close(*t);
}

int set_tar_begins(const void *head, size_t n, bool all)
{
    struct beginning b = {head, n, all};
    const struct tar_input in = {give_beginning, NULL, &b};
    cleanup(close_tar) struct tar_strict *t = NULL;
    struct tar_member m;
    struct err e;
    bool any = false;
    int r = tar_strict_open(&in, NULL, &t, &e);
    while (r == 0 && (r = tar_strict_next(t, &m, &e)) > 0) {
        if (!m.folder && set_name_kind(path_last(m.name)) != SET_NO_NAME)
            return 1;
        if (strcmp(m.name, "manifest") == 0)
            return 0;
        any = true;
        r = 0; /* a folder, or a stranger beside the set */
    }
    if (r == -EBADMSG && any)
        return 1;
    return r == -EAGAIN && n < SET_TAR_HEAD ? -EAGAIN : 0;
}

/* Unpacking */

struct spooled {
    struct tar_strict *tar;
    int folder;
    char above[PATH_MAX]; /* the folder that all files of the set lie in, with a slash, or "" */
    bool any;
    struct err *e;
};

static int spool_refuse(const struct spooled *s, const char *name, const char *why)
{
    return err_set(s->e, -EBADMSG, "hostile or damaged: member %s %s", name, why);
}

/* All files must lie in one folder: two sets would be mixed up. */
static int spool_check_place(struct spooled *s, const char *name, const char *base)
{
    const size_t n = (size_t)(base - name);
    if (!s->any) {
        memcpy(s->above, name, n);
        s->above[n] = 0;
        s->any = true;
    }
    return strlen(s->above) == n && memcmp(s->above, name, n) == 0
               ? 0
               : spool_refuse(s, name, "lies in another folder than the files before it");
}

static int spool_copy(struct spooled *s, int fd, const char *name)
{
    const void *buf;
    ssize_t n;
    while ((n = tar_strict_data(s->tar, &buf, s->e)) > 0) {
        int r = io_write_all(fd, buf, (size_t)n);
        if (r < 0)
            return err_sys(s->e, r, "%s", name);
    }
    return (int)n;
}

static int spool_member(struct spooled *s, const struct tar_member *m)
{
    const char *base = path_last(m->name);
    if (m->folder || (set_name_kind(base) == SET_NO_NAME && !set_name_left_out(base)))
        return 0;
    int r = spool_check_place(s, m->name, base);
    if (r < 0)
        return r;
    int fd = openat(s->folder, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return spool_refuse(s, m->name, "comes twice");
    if (fd < 0)
        return err_sys(s->e, -errno, "%s", base);
    r = spool_copy(s, fd, base);
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, time_to_spec(m->mtime_ns)};
    if (r == 0 && m->mtime_ns >= 0 && futimens(fd, times) < 0)
        r = err_sys(s->e, -errno, "%s", base);
    int closed = io_close(&fd);
    return r == 0 && closed < 0 ? err_sys(s->e, closed, "%s", base) : r;
}

int set_unpack_tar(const struct tar_input *in, int folder, struct err *e)
{
    struct err why = {0};
    struct spooled s = {.folder = folder, .e = e ? e : &why};
    struct tar_member m = {0};
    int r = tar_strict_open(in, NULL, &s.tar, s.e);
    while (r == 0 && (r = tar_strict_next(s.tar, &m, s.e)) > 0)
        r = spool_member(&s, &m);
    if (r == 0)
        r = tar_strict_end(s.tar, s.e);
    tar_strict_close(s.tar);
    return r;
}
