/* SPDX-License-Identifier: MIT */
#include "store/sets/set_tar.h"

#include "store/base/cleanup.h"
#include "store/sets/set_impl.h"

#include <errno.h>
#include <string.h>

#define PIECE (256u << 10)

struct set_tar {
    char *name;
    const struct set_options *o;
    struct tar_input in;
    struct tar_strict *tar;
    int fd;
    char *buf;
};

static int stop(void *arg)
{
    struct set_tar *t = arg;
    return t->o->stop ? t->o->stop(t->o->arg) : 0;
}

static ssize_t pull(void *arg, int if_ended, const void **block)
{
    struct set_tar *t = arg;
    (void)if_ended;
    ssize_t n = read(t->fd, t->buf, PIECE);
    if (n < 0)
        return -errno;
    if (t->o->progress)
        t->o->progress(t->o->arg, (uint64_t)n);
    *block = t->buf;
    return n;
}

/* The name of the file before the message; r itself if it is none. */
static int failure(const struct set_tar *t, int r, const struct err *why, struct err *e)
{
    if (r >= 0)
        return r;
    return why->text[0] ? err_set(e, r, "%s: %s", t->name, why->text)
                        : err_sys(e, r, "%s", t->name);
}

static int set_tar_begin(struct set_tar *t, int folder, struct err *e)
{
    struct err why = {0};
    uint64_t size = 0;
    t->fd = set_open_file(folder, t->name, &size, e);
    if (t->fd < 0)
        return t->fd;
    if (t->o->file)
        t->o->file(t->o->arg, t->name, size);
    return failure(t, tar_strict_open(&t->in, NULL, &t->tar, &why), &why, e);
}

int set_tar_open(int folder, const char *name, const struct set_options *o, struct set_tar **out,
                 struct err *e)
{
    cleanup(set_tar_freep) struct set_tar *t = calloc(1, sizeof(*t));
    if (!t)
        return err_sys(e, -ENOMEM, "%s", name);
    *t = (struct set_tar){.name = strdup(name), .o = o, .in = {pull, stop, t}, .fd = -1};
    t->buf = malloc(PIECE);
    if (!t->name || !t->buf)
        return err_sys(e, -ENOMEM, "%s", name);
    int r = set_tar_begin(t, folder, e);
    if (r == 0)
        *out = steal_ptr(&t);
    return r;
}

void set_tar_free(struct set_tar *t)
{
    if (!t)
        return;
    tar_strict_close(t->tar);
    cleanup_close(&t->fd);
    free(t->buf);
    free(t->name);
    free(t);
}

int set_tar_next(struct set_tar *t, struct tar_member *m, struct err *e)
{
    struct err why = {0};
    return failure(t, tar_strict_next(t->tar, m, &why), &why, e);
}

ssize_t set_tar_data(struct set_tar *t, const void **buf, struct err *e)
{
    struct err why = {0};
    ssize_t n = tar_strict_data(t->tar, buf, &why);
    return n < 0 ? failure(t, (int)n, &why, e) : n;
}

int set_tar_end(struct set_tar *t, uint64_t *bytes, struct err *e)
{
    struct err why = {0};
    int r = tar_strict_end(t->tar, &why);
    *bytes = tar_strict_bytes(t->tar);
    return failure(t, r, &why, e);
}

int set_tar_plain(const struct set_tar *t)
{
    return tar_strict_is_compressed(t->tar) ? -1 : t->fd;
}
