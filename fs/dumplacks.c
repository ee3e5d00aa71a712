/* SPDX-License-Identifier: MIT */
/* What dumps lack, with option skip_damaged. */
#include "fs/dumps_internal.h"
#include "fs/log.h"
#include "store/base/json.h"
#include "store/program/options.h"

#include <stdlib.h>
#include <string.h>

static void say(void *ctx, const char *words)
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
        log_line("dump/: %s", words);
}

void dumps_lacks_init(struct dumps *d)
{
    d->gaps = (struct gaps){.damage = d->fs->options->skip_damaged, .say = say, .ctx = d};
}

void dumps_lacks_clear(struct dumps *d)
{
    while (d->nlacks > 0)
        free(d->lacks[--d->nlacks]);
}

struct json_object *dumps_lacks(struct dumps *d)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->nlacks; i++)
        json_object_array_add(list, json_text(d->lacks[i]));
    json_object_object_add(o, "more", json_object_new_boolean(d->more_lacks));
    pthread_mutex_unlock(&d->lock);
    json_object_object_add(o, "lines", list);
    return o;
}
