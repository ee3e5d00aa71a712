/* SPDX-License-Identifier: MIT */
#include "fs/reports.h"

#include "fs/status.h"
#include "store/base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int log_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct stat real = {0};
    (void)n, (void)h;
    if (r->fs->restore && fstat(restore_log_fd(r->fs->restore), &real) < 0)
        return -errno;
    fs_attr(r->fs, st, INO_RESTORE_LOG, S_IFREG | 0400, (uint64_t)real.st_size,
            io_ts_ns(&real.st_mtim));
    return 0;
}

static int log_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    (void)r, (void)n, (void)flags;
    *h = calloc(1, sizeof(**h));
    return *h ? 0 : -ENOMEM;
}

static ssize_t log_read(struct request *r, struct handle *h, void *buf, size_t n, uint64_t off)
{
    (void)h;
    if (!r->fs->restore)
        return 0;
    ssize_t got = pread(restore_log_fd(r->fs->restore), buf, n, (off_t)off);
    return got < 0 ? -errno : got;
}

static void log_release(struct handle *h)
{
    free(h);
}

static void log_free(struct node *n)
{
    free(n);
}

static const struct node_ops log_ops = {
    .direct = true,
    .getattr = log_getattr,
    .free = log_free,
    .open = log_open,
    .read = log_read,
    .release = log_release,
};

static int make_status(struct fs *fs, char **text)
{
    if (fs->restore)
        return restore_status_json(fs->restore, text);
    *text = strdup("{\"state\":\"read-only\"}\n");
    return *text ? 0 : -ENOMEM;
}

int report_log(struct fs *fs, struct node **out)
{
    struct node *n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    n->ops = &log_ops;
    node_add(fs->nodes, n, false);
    *out = n;
    return 0;
}

int report_status(struct fs *fs, struct node **out)
{
    return status_text_node(fs, INO_RESTORE_STATUS, 0400, make_status, out);
}
