/* SPDX-License-Identifier: MIT */
#include "store/influx/tsmblock_internal.h"

#include "store/influx/simple8b.h"

#include <errno.h>
#include <stdlib.h>

int decoder_bad(const struct decoder *d, const char *what)
{
    return err_set(d->e, -EBADMSG, "byte %zu of the block: %s", (size_t)(d->in.p - d->start), what);
}

int decoder_too_few(const struct decoder *d)
{
    return decoder_bad(d, "fewer values than times");
}

int decoder_reserve(struct tsmblock *b, size_t n)
{
    n += SIMPLE8B_SLACK;
    if (n <= b->cap)
        return 0;
    size_t cap = b->cap ? b->cap : 16;
    while (cap < n)
        cap *= 2;
    int64_t *times = realloc(b->times, cap * sizeof(*times));
    if (!times)
        return -ENOMEM;
    b->times = times;
    union value *values = realloc(b->values, cap * sizeof(*values));
    if (!values)
        return -ENOMEM;
    b->values = values;
    b->cap = cap;
    return 0;
}
