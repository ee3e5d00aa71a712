/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_internal.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)1 << 18)
#define CANNOT_PUT "cannot be uploaded"

struct put {
    const struct remote *remote;
    const char *path;
    const struct remote_source *source;
    struct remote_child *child;
    char *piece; /* PIECE bytes */
    uint64_t done;
};

/* 0: nothing comes after the size that is known. */
static int put_check_end(const struct put *p, struct err *e)
{
    const struct remote_source *s = p->source;
    char more;
    const ssize_t n = s->read(s->ctx, &more, 1, s->size, e);
    if (n > 0)
        return remote_failed(p->remote, -EIO, p->path, CANNOT_PUT,
                             "what is to be sent is longer than its size", e);
    return (int)n;
}

/* The next bytes; 0 at the end. A size that is known must be kept, in both directions: what goes on after
 * it is noticed before its last byte, or the end of none, has been sent, since a store commits an object
 * of a known size with that. */
static ssize_t put_read(const struct put *p, struct err *e)
{
    const struct remote_source *s = p->source;
    const bool known = s->size != REMOTE_SIZE_UNKNOWN;
    const uint64_t left = known ? s->size - p->done : PIECE;
    if (left == 0)
        return s->size ? 0 : put_check_end(p, e);
    const ssize_t n = s->read(s->ctx, p->piece, left < PIECE ? (size_t)left : PIECE, p->done, e);
    if (n < 0 || !known)
        return n;
    if (n == 0)
        return remote_failed(p->remote, -EIO, p->path, CANNOT_PUT,
                             "what is to be sent ended before its size", e);
    if ((uint64_t)n < left)
        return n;
    const int code = put_check_end(p, e);
    return code < 0 ? code : n;
}

/* 0: all is sent, and so is its end; -EPIPE: rclone takes no more. */
static int put_feed(struct put *p, struct err *e)
{
    for (;;) {
        const ssize_t n = put_read(p, e);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        const int code = remote_child_write(p->child, p->piece, (size_t)n);
        if (code == -EINTR)
            return remote_cut_short(p->remote, code, p->path, CANNOT_PUT, e);
        if (code < 0)
            return code;
        p->done += (uint64_t)n;
    }
    remote_child_end_input(p->child);
    return 0;
}

static int put_child(struct put *p, struct err *e)
{
    int code = put_feed(p, e);
    if (code < 0 && code != -EPIPE)
        return code; /* the child is ended without having seen an end of its input */
    code = remote_finish(p->remote, p->child, p->path, CANNOT_PUT, e);
    if (code == 0 && !remote_child_took_all(p->child))
        code = remote_failed(p->remote, -EIO, p->path, CANNOT_PUT,
                             "rclone ended well before it had read all", e);
    return code;
}

/* With the size, rclone sends it along, and the store refuses less. */
int remote_put(struct remote *r, const char *path, const struct remote_source *s, struct err *e)
{
    char size[32];
    const char *words[] = {"rcat", NULL, NULL, NULL};
    autofree char *piece = malloc(PIECE);
    struct put p = {.remote = r, .path = path, .source = s, .piece = piece};
    if (!piece)
        return err_sys(e, -ENOMEM, "%s", r->shown);
    if (s->size != REMOTE_SIZE_UNKNOWN) {
        snprintf(size, sizeof(size), "%llu", (unsigned long long)s->size);
        words[1] = "--size";
        words[2] = size;
    }
    int code = remote_start(r, words, path, REMOTE_CHILD_FEED, &p.child, e);
    if (code == 0)
        code = put_child(&p, e);
    remote_child_close(p.child);
    return code;
}
