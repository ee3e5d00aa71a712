/* SPDX-License-Identifier: MIT */
/* What dumps lack, with option skip_damaged. */
#include "fs/dumps_internal.h"
#include "store/base/lock.h"
#include "store/base/log.h"

#include <stdlib.h>
#include <string.h>

static void dumplacks_say(void *ctx, const char *words)
{
    struct dumps *d = ctx;
    size_t i = 0;
    pthread_mutex_lock(&d->lock);
    while (i < d->nlacks && strcmp(d->lacks[i], words) != 0)
        i++;
    bool fresh = i == d->nlacks && i < DUMPS_LACKS;
    if (fresh && (d->lacks[i] = strdup(words)))
        d->nlacks++;
    d->more_lacks |= i == DUMPS_LACKS;
    pthread_mutex_unlock(&d->lock);
    if (fresh)
        log_warning("dump/: %s", words);
}

void dumps_lacks_init(struct dumps *d)
{
    d->gaps = (struct gaps){.damage = d->fs->options->skip_damaged, .say = dumplacks_say, .ctx = d};
}

void dumps_lacks_clear(struct dumps *d)
{
    while (d->nlacks > 0)
        free(d->lacks[--d->nlacks]);
}

int dumps_lacks(struct dumps *d, struct report_texts *out, bool *more)
{
    int r = 0;
    lock_scope(&d->lock);
    for (size_t i = 0; r == 0 && i < d->nlacks; i++)
        r = report_texts_add(out, d->lacks[i]);
    *more = d->more_lacks;
    return r;
}
