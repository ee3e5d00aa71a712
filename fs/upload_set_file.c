/* SPDX-License-Identifier: MIT */
/* The bytes of a file of a set, which wait on disk for the rest of it. */
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
#include <string.h>

struct set_handle {
    struct handle h;
    struct arrival_handle *of;
};

/* With the lock. */
struct handle *upload_set_handle(struct upload_entry *e, struct arrival_handle *of)
{
    struct set_handle *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->of = of;
    e->life.open++;
    upload_tree_use(e);
    return &h->h;
}

int upload_set_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct upload_entry *e = (struct upload_entry *)n;
    const struct tarball_reader who = {request_interrupted, r};
    const bool writer = (flags & O_ACCMODE) != O_RDONLY;
    struct arrival_handle *of = NULL;
    struct err why = {0};
    int rc = 0;
    if (writer && (flags & O_TRUNC))
        rc = arrival_truncate(e->piece, 0, &who, &why);
    if (rc == 0)
        rc = arrival_open(e->piece, writer, &who, &of, &why);
    if (rc < 0) {
        status_failed(r->fs->status, "restore", why.text);
        return rc;
    }
    lock_scope(&e->all->lock);
    *h = upload_set_handle(e, of);
    if (!*h)
        arrival_close(of);
    return *h ? 0 : -ENOMEM;
}

ssize_t upload_set_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    (void)r;
    return arrival_read(((struct set_handle *)h)->of, *buf, n, off);
}

int upload_set_write(struct request *r, struct handle *h, const void *buf, size_t n, uint64_t off)
{
    struct upload_entry *e = (struct upload_entry *)h->node;
    const struct tarball_reader who = {request_interrupted, r};
    struct err why = {0};
    int rc = arrival_write(((struct set_handle *)h)->of, buf, n, off, &who, &why);
    if (rc < 0)
        status_failed(r->fs->status, "restore", why.text);
    lock_scope(&e->all->lock);
    e->mtime_ns = e->written_ns = time_wall_ns();
    upload_tree_use(e);
    return rc;
}

int upload_set_flush(struct request *r, struct handle *h)
{
    const struct tarball_reader who = {request_interrupted, r};
    struct upload_entry *e = (struct upload_entry *)h->node;
    struct process_away away;
    struct err why = {0};
    processes_asked_by(&away, r->ctx->pid);
    int rc =
        arrival_flush(((struct set_handle *)h)->of, caller_was_killed(r->ctx->pid), &who, &why);
    processes_answered(&away);
    if (rc < 0)
        status_failed(r->fs->status, "restore", why.text);
    lock_scope(&e->all->lock);
    upload_tree_use(e);
    return rc;
}

void upload_set_release(struct handle *h)
{
    struct set_handle *sh = (struct set_handle *)h;
    struct upload_entry *e = (struct upload_entry *)h->node;
    arrival_close(sh->of);
    pthread_mutex_lock(&e->all->lock);
    e->life.open--;
    upload_tree_use(e);
    pthread_mutex_unlock(&e->all->lock);
    free(sh);
}
