/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_internal.h"
#include "mount-helper/nightly/remote_retry.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANNOT_READ "cannot be read"

struct remote_reader {
    struct remote *remote;
    char *path;
    uint64_t at, size;
    struct remote_child *child; /* NULL: to be started */
    struct remote_retry again;
};

int remote_read_open(struct remote *r, const char *path, uint64_t size, struct remote_reader **out,
                     struct err *e)
{
    struct remote_reader *f = calloc(1, sizeof(*f));
    if (!f || !(f->path = strdup(path))) {
        free(f);
        return err_sys(e, -ENOMEM, "%s", r->shown);
    }
    f->remote = r;
    f->size = size;
    f->again.remote = r;
    *out = f;
    return 0;
}

void remote_read_close(struct remote_reader *f)
{
    if (!f)
        return;
    remote_child_close(f->child);
    free(f->path);
    free(f);
}

/* One byte more than there should be: none comes, or it is longer. rclone makes no MD5 of what it is asked
 * for in this way; what is made of the bytes has a sum of its own. */
static int read_start(struct remote_reader *f, struct err *e)
{
    char offset[48], count[48];
    const char *words[] = {"cat", offset, count, NULL};
    snprintf(offset, sizeof(offset), "--offset=%" PRIu64, f->at);
    snprintf(count, sizeof(count), "--count=%" PRIu64, f->size - f->at + 1);
    return remote_start(f->remote, words, f->path, REMOTE_CHILD_READ, &f->child, e);
}

static int read_misfits(const struct remote_reader *f, const char *how, uint64_t bytes,
                        struct err *e)
{
    char why[96];
    snprintf(why, sizeof(why), "damaged: it has %s%" PRIu64 " bytes, and should have %" PRIu64, how,
             bytes, f->size);
    return remote_failed(f->remote, -EBADMSG, f->path, CANNOT_READ, why, e);
}

/* After the last byte that the child had: 0 if that was the object's. rclone also ends well where the
 * store did not answer for the object, and where there is none. */
static int read_finish(struct remote_reader *f, struct err *e)
{
    struct remote_stat is;
    int code = remote_finish(f->remote, f->child, f->path, CANNOT_READ, e);
    if (code < 0 || f->at == f->size)
        return code;
    code = remote_stat(f->remote, f->path, &is, e);
    if (code == 0 && is.size != f->size)
        code = read_misfits(f, "", is.size, e);
    return code < 0 ? code
                    : remote_failed(f->remote, -EAGAIN, f->path, CANNOT_READ, "it ended early", e);
}

static ssize_t read_some(struct remote_reader *f, void *buf, size_t n, struct err *e)
{
    if (f->at == f->size && !f->child)
        return 0;
    int code = f->child ? 0 : read_start(f, e);
    if (code < 0)
        return code;
    ssize_t got = remote_child_read(f->child, buf, n);
    if (got < 0)
        return remote_cut_short(f->remote, got, f->path, CANNOT_READ, e);
    if (got == 0)
        return read_finish(f, e);
    if ((uint64_t)got > f->size - f->at)
        return read_misfits(f, "more than ", f->at + (uint64_t)got - 1, e);
    f->at += (uint64_t)got;
    return got;
}

ssize_t remote_read(struct remote_reader *f, void *buf, size_t n, struct err *e)
{
    int code;
    ssize_t got;
    do {
        got = read_some(f, buf, n, e);
        code = got < 0 ? (int)got : 0;
        if (code == -EAGAIN) {
            remote_child_close(f->child);
            f->child = NULL;
            remote_retry_moved(&f->again, f->at > f->again.best ? f->at : 0);
        }
    } while (remote_retry_again(&f->again, &code, e));
    return code < 0 ? code : got;
}

static int read_small(struct remote *r, const char *path, size_t max, struct buffer *out,
                      struct err *e)
{
    char count[48];
    const char *words[] = {"cat", count, NULL};
    struct remote_stat is;
    const size_t before = out->n;
    snprintf(count, sizeof(count), "--count=%zu", max + 1);
    int code = remote_capture(r, words, path, CANNOT_READ, max, out, e);
    if (code < 0 || out->n > before)
        return code;
    /* So it also ends where there is no such object, or no answer about it. */
    code = remote_stat(r, path, &is, e);
    if (code == 0 && is.size)
        code = remote_failed(r, -EAGAIN, path, CANNOT_READ, "nothing came of it", e);
    return code;
}

int remote_get(struct remote *r, const char *path, size_t max, struct buffer *out, struct err *e)
{
    struct remote_retry again = {.remote = r};
    const size_t before = out->n;
    int code;
    do {
        out->n = before;
        code = read_small(r, path, max, out, e);
    } while (remote_retry_again(&again, &code, e));
    if (code < 0)
        out->n = before;
    return code;
}
