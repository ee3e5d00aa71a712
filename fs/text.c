/* SPDX-License-Identifier: MIT */
#include "fs/text.h"

#include "fs/request.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct text_node {
    struct node node;
    mode_t mode;
    int (*make)(struct fs *fs, char **text);
};

struct text_handle {
    struct handle h;
    char *text;
    size_t len;
};

static int text_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct text_node *t = (const struct text_node *)n;
    autofree char *text = NULL;
    size_t len = 0;
    if (h) {
        len = ((const struct text_handle *)h)->len;
    } else {
        int rc = t->make(r->fs, &text);
        if (rc < 0)
            return rc;
        len = strlen(text);
    }
    fs_attr(r->fs, st, n, S_IFREG | t->mode, len, time_wall_ns());
    return 0;
}

static int text_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    const struct text_node *t = (const struct text_node *)n;
    (void)flags;
    struct text_handle *th = calloc(1, sizeof(*th));
    int rc = th ? t->make(r->fs, &th->text) : -ENOMEM;
    if (rc < 0) {
        free(th);
        return rc;
    }
    th->len = strlen(th->text);
    *h = &th->h;
    return 0;
}

static ssize_t text_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    const struct text_handle *th = (const struct text_handle *)h;
    (void)r;
    if (off >= th->len)
        return 0;
    if (n > th->len - off)
        n = (size_t)(th->len - off);
    memcpy(*buf, th->text + off, n);
    return (ssize_t)n;
}

static void text_release(struct handle *h)
{
    struct text_handle *th = (struct text_handle *)h;
    free(th->text);
    free(th);
}

static void text_free(struct node *n)
{
    free(n);
}

static const struct node_ops text_ops = {
    .getattr = text_getattr,
    .free = text_free,
    .open = text_open,
    .read = text_read,
    .release = text_release,
};

int text_node_new(struct fs *fs, ino_t ino, mode_t mode, int (*make)(struct fs *fs, char **text),
                  struct node **out)
{
    struct text_node *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    node_init(&t->node, &text_ops, NODE_TEXT, ino, NULL);
    t->mode = mode;
    t->make = make;
    int r = node_add(fs->nodes, &t->node, false);
    if (r < 0)
        free(t);
    else
        *out = &t->node;
    return r;
}
