/* SPDX-License-Identifier: MIT */
/* The bytes of the files of a set that arrives, and the flush that may complete it. */
#include "store/sets/arrival_impl.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/restore/account.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The file is about to be written by this handle (NULL: by none). The lock is held. A round that
 * this handle's own flush has ended too early goes on. */
static void arrival_begin(struct arrival_file *f, struct arrival_handle *h)
{
    struct arrival *a = f->in;
    if (h && h->closed_round && h->closed_round == a->round)
        a->round--;
    if (h)
        h->closed_round = 0;
    if (h && !h->dirty) {
        h->dirty = true;
        a->busy++;
    }
    arrival_take_back(f);
}

int arrival_open(struct arrival_file *f, bool writer, const struct tarball_reader *who,
                 struct arrival_handle **out, struct err *e)
{
    struct arrival *a = f->in;
    struct arrival_handle *h = calloc(1, sizeof(*h));
    if (!h)
        return err_sys(e, -ENOMEM, "%s", a->path);
    pthread_mutex_lock(&a->lock);
    int r = writer ? arrival_wait(a, who, e) : 0;
    if (r == 0 && (!a->folder || !f->disk))
        r = err_set(e, -ESTALE, "%s: what was copied before is gone", a->path);
    if (r == 0) {
        h->fd = openat(spool_folder_fd(a->folder), f->disk, O_RDWR | O_CLOEXEC);
        r = h->fd < 0 ? err_sys(e, -errno, "%s/%s", a->path, f->disk) : 0;
    }
    if (r == 0 && writer) {
        h->writer = h->dirty = true;
        a->busy++;
    }
    pthread_mutex_unlock(&a->lock);
    h->file = f;
    if (r < 0)
        free(h);
    else
        *out = h;
    return r;
}

int arrival_write(struct arrival_handle *h, const void *buf, size_t n, uint64_t off,
                  const struct tarball_reader *who, struct err *e)
{
    struct arrival_file *f = h->file;
    struct arrival *a = f->in;
    pthread_mutex_lock(&a->lock);
    int r = arrival_wait(a, who, e);
    if (r == 0)
        arrival_begin(f, h);
    pthread_mutex_unlock(&a->lock);
    if (r < 0)
        return r;
    if (n > INT64_MAX - off)
        return err_sys(e, -EFBIG, "%s", a->path);
    r = io_pwrite_all(h->fd, buf, n, off);
    lock_scope(&a->lock);
    if (off == 0)
        f->spoilt = 0; /* begun anew */
    if (r < 0)
        f->spoilt = r;
    else if (off + n > f->size)
        f->size = off + n;
    if (r == 0) {
        account_progress(session_account(a->session), arrival_as_upload(a), n);
        return 0;
    }
    err_sys(e, r, "%s", f->disk ? f->disk : "a file that was removed");
    arrival_log_refused(a, e->text);
    return r;
}

ssize_t arrival_read(struct arrival_handle *h, void *buf, size_t n, uint64_t off)
{
    ssize_t got;
    do
        got = pread(h->fd, buf, n, (off_t)off);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int arrival_truncate(struct arrival_file *f, uint64_t size, const struct tarball_reader *who,
                     struct err *e)
{
    struct arrival *a = f->in;
    lock_scope(&a->lock);
    int r = arrival_wait(a, who, e);
    if (r < 0)
        return r;
    if (!a->folder || !f->disk)
        return err_set(e, -ESTALE, "%s: what was copied before is gone", a->path);
    if (size > INT64_MAX)
        return err_sys(e, -EFBIG, "%s", a->path);
    bool was = f->arrived;
    if (size != f->size || size == 0)
        arrival_begin(f, NULL);
    autoclose int fd = openat(spool_folder_fd(a->folder), f->disk, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return err_sys(e, -errno, "%s/%s", a->path, f->disk);
    f->size = size;
    if (size == 0)
        f->spoilt = 0;
    else if (was && !f->arrived) /* by its name: no writer will say when it is done */
        r = arrival_take_in(f, e);
    return r;
}

/* The lock is held. */
static int arrival_take_flushed(struct arrival_handle *h, bool killed,
                                const struct tarball_reader *who, struct err *e)
{
    struct arrival_file *f = h->file;
    struct arrival *a = f->in;
    if (killed)
        f->spoilt = -EINTR;
    if (killed || f->size == 0 || !a->folder)
        return 0;
    if (f->spoilt)
        return err_sys(e, f->spoilt, "%s: %s did not arrive whole", a->path,
                       f->disk ? f->disk : "?");
    if (f->arrived)
        return 0; /* nothing was written: it is as it was */
    int r = arrival_take_in(f, e);
    if (r < 0)
        arrival_log_refused(a, e->text);
    if (r == 0 && f->as && arrival_is_ready(a)) {
        r = arrival_judge(a, who, e);
        h->closed_round = r < 0 ? a->round : 0;
    }
    return r;
}

int arrival_flush(struct arrival_handle *h, bool killed, const struct tarball_reader *who,
                  struct err *e)
{
    struct arrival *a = h->file->in;
    if (!h->writer)
        return 0;
    lock_scope(&a->lock);
    if (h->dirty) {
        h->dirty = false;
        a->busy--;
        h->why.text[0] = 0;
        h->verdict = arrival_take_flushed(h, killed, who, &h->why);
    }
    return h->verdict < 0 ? err_set(e, h->verdict, "%s", h->why.text) : 0;
}

void arrival_close(struct arrival_handle *h)
{
    struct arrival *a = h->file->in;
    pthread_mutex_lock(&a->lock);
    if (h->dirty)
        a->busy--;
    pthread_mutex_unlock(&a->lock);
    close(h->fd);
    free(h);
}
