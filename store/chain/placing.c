/* SPDX-License-Identifier: MIT */
#include "store/chain/placing.h"

#include "store/base/cleanup.h"
#include "store/base/copying.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/pool.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define FOLDERS 16 /* of the pool that stay open: the files of a state are from many cuts */

struct placing {
    int cuts_fd;
    struct {
        int fd; /* -1: none */
        uint64_t serial;
    } folders[FOLDERS];
    struct err said;
};

int placing_open(struct cuts *c, struct placing **out, struct err *e)
{
    struct placing *p = calloc(1, sizeof(*p));
    if (!p)
        return err_sys(e, -ENOMEM, "cuts");
    for (size_t i = 0; i < FOLDERS; i++)
        p->folders[i].fd = -1;
    p->cuts_fd = cuts_folder(c, e);
    if (p->cuts_fd < 0) {
        int r = p->cuts_fd;
        placing_close(p);
        return r;
    }
    *out = p;
    return 0;
}

void placing_close(struct placing *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < FOLDERS; i++)
        cleanup_close(&p->folders[i].fd);
    cleanup_close(&p->cuts_fd);
    free(p);
}

const char *placing_said(const struct placing *p)
{
    return p->said.text;
}

/* The folder of the pool that holds the file; it stays p's. */
static int placing_folder(struct placing *p, uint64_t serial)
{
    const size_t i = serial % FOLDERS;
    if (p->folders[i].fd >= 0 && p->folders[i].serial == serial)
        return p->folders[i].fd;
    cleanup_close(&p->folders[i].fd);
    p->folders[i].fd = pool_open_folder(p->cuts_fd, serial);
    p->folders[i].serial = serial;
    return p->folders[i].fd;
}

/* Opens it. What a pool says of a file that it has lost is an error of the disk there; here, the cut
 * is damaged. */
static int placing_source(const struct placing *p, const struct cut_entry *f, struct err *e)
{
    struct err why = {0};
    const int fd = pool_open(p->cuts_fd, &f->place, f->attr.size, &why);
    if (fd == -EIO)
        return err_set(e, -EBADMSG,
                       "%s: %s; `influxsnap verify` names all that is damaged; choose another cut",
                       f->path, why.text);
    return fd < 0 ? err_set(e, fd, "%s: %s", f->path, why.text) : fd;
}

/* The retained file itself: *folder and name. */
static int placing_look(struct placing *p, const struct cut_entry *f, int *folder, char name[16],
                        struct stat *st, struct err *e)
{
    snprintf(name, 16, "%" PRIu32, f->place.seq);
    *folder = placing_folder(p, f->place.serial);
    if (*folder >= 0 && fstatat(*folder, name, st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st->st_mode) && (uint64_t)st->st_size == f->attr.size)
        return 0;
    autoclose int fd = placing_source(p, f, e); /* says what is wrong with it */
    if (fd >= 0)
        err_set(e, -EBADMSG, "%s: its retained file changes", f->path);
    return fd < 0 ? fd : -EBADMSG;
}

static bool placing_is_owner(const struct stat *st, const struct file_attr *as)
{
    return (as->uid == (uid_t)-1 || st->st_uid == as->uid) &&
           (as->gid == (gid_t)-1 || st->st_gid == as->gid);
}

/* Whether influxd never changes it in place, and its inode is as wanted. */
static bool placing_fits(struct placing *p, const struct cut_entry *f, const struct file_attr *as,
                         const struct stat *st)
{
    const char *name = path_last(f->path), *why = NULL;
    if (!name_is_tsm(name) && !name_is_tombstone(name))
        return false;
    if ((st->st_mode & 07777) != (as->mode & 07777) || time_from_spec(&st->st_mtim) != as->mtime_ns)
        why = "it was retained as a copy";
    else if (!placing_is_owner(st, as))
        why = "it is to have another owner";
    if (why && !p->said.text[0])
        err_set(&p->said, 0, "%s: %s", f->path, why);
    return !why;
}

int placing_links(struct placing *p, const struct cut_entry *f, const struct file_attr *as,
                  dev_t dev, bool *yes, struct err *e)
{
    struct stat st;
    char name[16];
    int folder, r = placing_look(p, f, &folder, name, &st, e);
    if (r < 0)
        return r;
    *yes = placing_fits(p, f, as, &st) && st.st_dev == dev;
    if (!*yes && st.st_dev != dev && !p->said.text[0])
        err_sys(&p->said, -EXDEV, "%s", f->path);
    return 0;
}

static int placing_copy(const struct placing *p, const struct cut_entry *f,
                        const struct file_attr *as, int folder, const char *name, struct err *e)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, time_to_spec(as->mtime_ns)};
    autoclose int from = placing_source(p, f, e);
    if (from < 0)
        return from;
    autoclose int to =
        openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = to < 0 ? -errno : copying_file(from, to);
    if (r == 0 && ((as->uid != (uid_t)-1 && fchown(to, as->uid, as->gid) < 0) ||
                   fchmod(to, as->mode & 07777) < 0 || futimens(to, times) < 0))
        r = -errno;
    if (r == 0)
        r = io_close(&to);
    return r < 0 ? err_sys(e, r, "%s", f->path) : 0;
}

int placing_put(struct placing *p, const struct cut_entry *f, const struct file_attr *as,
                int folder, const char *name, bool *linked, struct err *e)
{
    struct stat st;
    char own[16];
    int from, r = placing_look(p, f, &from, own, &st, e);
    if (r < 0)
        return r;
    *linked = placing_fits(p, f, as, &st);
    if (*linked && linkat(from, own, folder, name, 0) == 0)
        return 0;
    r = *linked ? -errno : 0;
    if (r < 0 && !copying_instead(r))
        return err_sys(e, r, "%s", f->path);
    if (r < 0 && r != -EMLINK && !p->said.text[0])
        err_sys(&p->said, r, "%s", f->path);
    *linked = false;
    return placing_copy(p, f, as, folder, name, e);
}
