/* SPDX-License-Identifier: MIT */
/* The bytes of a file in restore/, which go to the store's upload. */
#include "fs/uploads_internal.h"

#include "fs/caller.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/influx/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct upload *upload_file_end(struct upload_entry *e)
{
    struct upload *u = e->upload;
    if (!u || e->life.open)
        return NULL;
    e->size = upload_size(u);
    e->upload = NULL;
    return u;
}

struct handle *upload_file_handle(struct upload_entry *e, bool writer)
{
    struct upload_handle *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->writer = writer;
    e->life.open++;
    if (writer)
        upload_open(e->upload);
    lifetime_use(&e->life);
    return &h->h;
}

/* The bytes copied here have been unpacked: there is nothing to read back. */
ssize_t upload_file_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    const struct upload_entry *e = (const struct upload_entry *)h->node;
    (void)r, (void)buf, (void)n;
    return off >= upload_size(e->upload) ? 0 : -EIO;
}

int upload_file_write(struct request *r, struct handle *h, const void *buf, size_t n, uint64_t off)
{
    struct upload_handle *uh = (struct upload_handle *)h;
    struct upload_entry *e = (struct upload_entry *)h->node;
    const struct tarball_reader who = {request_interrupted, r};
    struct err why = {0};
    pthread_mutex_lock(&e->all->lock);
    bool first = !uh->wrote && off == 0;
    uh->wrote = true;
    pthread_mutex_unlock(&e->all->lock);
    int rc = first ? upload_rewind(e->upload, &who) : 0;
    if (rc == 0)
        rc = upload_write(e->upload, buf, n, off, &who, &why);
    lock_scope(&e->all->lock);
    e->mtime_ns = e->written_ns = time_wall_ns();
    lifetime_use(&e->life);
    return rc;
}

int upload_file_flush(struct request *r, struct handle *h)
{
    const struct upload_handle *uh = (const struct upload_handle *)h;
    struct upload_entry *e = (struct upload_entry *)h->node;
    const struct tarball_reader who = {request_interrupted, r};
    struct err why = {0};
    if (!uh->writer)
        return 0;
    if (caller_was_killed(r->ctx->pid)) {
        upload_killed(e->upload);
        return 0;
    }
    const bool written = upload_size(e->upload) > 0;
    struct process_away away;
    processes_asked_by(&away, r->ctx->pid);
    int rc = upload_flush(e->upload, &who, &why);
    processes_answered(&away);
    if (rc < 0 && written)
        status_failed(r->fs->status, "restore", why.text);
    return rc;
}

void upload_file_release(struct handle *h)
{
    struct upload_handle *uh = (struct upload_handle *)h;
    struct upload_entry *e = (struct upload_entry *)h->node;
    if (uh->writer)
        upload_close(e->upload);
    pthread_mutex_lock(&e->all->lock);
    e->life.open--;
    lifetime_use(&e->life);
    pthread_mutex_unlock(&e->all->lock);
    free(uh);
}

int upload_file_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct upload_entry *e = (struct upload_entry *)n;
    bool writer = (flags & O_ACCMODE) != O_RDONLY;
    if (e->folder)
        return -EISDIR;
    int rc = writer ? upload_may_begin(r, e->name) : 0;
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&e->all->lock);
    struct handle *nh = e->upload ? upload_file_handle(e, writer) : NULL;
    rc = nh ? 0 : e->upload ? -ENOMEM : -ESTALE;
    pthread_mutex_unlock(&e->all->lock);
    if (rc == 0 && writer && (flags & O_TRUNC)) {
        const struct tarball_reader who = {request_interrupted, r};
        struct err why = {0};
        rc = upload_truncate(e->upload, 0, &who, &why);
        if (rc < 0) {
            nh->node = n;
            upload_file_release(nh);
        }
    }
    if (rc == 0)
        *h = nh;
    return rc;
}
