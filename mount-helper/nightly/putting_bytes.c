/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/putting_bytes.h"

#include <stdlib.h>

static ssize_t bytes_read(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct buffer *text = ctx;
    (void)e;
    if (n > text->n - off)
        n = (size_t)(text->n - off);
    memcpy(buf, text->p + off, n);
    return (ssize_t)n;
}

int putting_bytes(struct remote *r, const char *folder, const char *name, const struct buffer *text,
                  enum putting_verify verify, struct err *e)
{
    const struct putting how = {.remote = r, .verify = verify, .fixed = true};
    const struct remote_source source = {bytes_read, (void *)text, text->n};
    struct put_object out = {0};
    int c = putting_object(&how, folder, name, &source, &out, e);
    free(out.name);
    return c;
}
