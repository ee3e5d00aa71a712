/* SPDX-License-Identifier: MIT */
#include "fs/tarfile.h"

#include "fs/pace.h"
#include "fs/recorder.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/snapshot/damage.h"

#include <errno.h>

void tarfile_init(struct fs *fs, struct tarfile *f, struct tarball *t, const char *name)
{
    pace_look(fs->pace);
    f->tarball = t;
    f->name = name;
    f->front = 0;
    f->opened_ns = time_mono_ns();
    ahead_init(&f->ahead);
    pthread_mutex_init(&f->lock, NULL);
}

int tarfile_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct tarfile_node *t = (const struct tarfile_node *)n;
    (void)h;
    fs_attr(r->fs, st, n, S_IFREG | 0400, t->size, t->mtime_ns);
    return 0;
}

void tarfile_clear(struct tarfile *f)
{
    ahead_clear(&f->ahead);
    pthread_mutex_destroy(&f->lock);
}

static ssize_t read_tarball(struct request *r, const struct tarfile *f, char *buf, size_t n,
                            uint64_t off)
{
    struct tarball_reader reader = {request_interrupted, r};
    struct err e = {0};
    ssize_t got = tarball_read(f->tarball, buf, n, off, &reader, &e);
    if (got >= 0 || got == -EINTR)
        return got;
    status_failed(r->fs->status, f->name, e.text);
    return -EIO;
}

/* Whether this piece completes the reading of the whole tar; true once. */
static bool completes(struct tarfile *f, uint64_t len, uint64_t off)
{
    lock_scope(&f->lock);
    if (off > f->front || off + len <= f->front)
        return false;
    f->front = off + len;
    return f->front == tarball_size(f->tarball);
}

static void tarfile_was_read(struct fs *fs, const struct tarfile *f)
{
    struct capture *c = tarball_capture(f->tarball);
    struct err lacks;
    status_read_whole(fs->status, f->name, f->tarball);
    if (!f->is_backup)
        return;
    damage_say_lacks(c, &lacks);
    const struct history_entry entry = {
        .result = lacks.text[0] ? HISTORY_OMISSIONS : HISTORY_DONE,
        .took_ns = time_mono_ns() - f->opened_ns,
        .bytes = tarball_size(f->tarball),
        .what = f->name,
        .id = capture_record(c)->id,
        .text = lacks.text[0] ? lacks.text : NULL,
    };
    recorder_add(fs->recorder, HISTORY_BACKUP, &entry);
}

ssize_t tarfile_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    struct tarfile *f = (struct tarfile *)h;
    ssize_t got = (ssize_t)ahead_take(&f->ahead, buf, n, off);
    if (got == 0)
        got = read_tarball(r, f, *buf, n, off);
    if (got > 0)
        pace_wait(r->fs->pace, (size_t)got, request_interrupted, r);
    if (got < 0)
        ahead_go_on(&f->ahead, 0, off, NULL, NULL);
    else if (completes(f, (uint64_t)got, off))
        tarfile_was_read(r->fs, f);
    return got;
}

static ssize_t read_quietly(void *ctx, void *buf, size_t n, uint64_t off)
{
    return tarball_read(ctx, buf, n, off, NULL, NULL);
}

/* While sums are being computed, the other core is busy enough. */
void tarfile_has_read(struct handle *h, size_t n, uint64_t off)
{
    struct tarfile *f = (struct tarfile *)h;
    bool ready = n > 0 && tarball_is_ready(f->tarball, n, off + n);
    ahead_go_on(&f->ahead, n, off, ready ? read_quietly : NULL, f->tarball);
}
