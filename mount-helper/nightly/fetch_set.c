/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_set.h"

#include <sys/stat.h>

/* Time and owner say nothing of what is in it. */
static struct file_attr attr_of(const struct receipt_object *o)
{
    return (struct file_attr){.size = o->size, .mode = S_IFREG | 0600};
}

int fetch_set_head(const struct receipt_object *o, char buf[TARHEAD_MAX])
{
    const struct file_attr attr = attr_of(o);
    return tarhead_write(o->name, &attr, buf);
}

int fetch_set_size(const struct receipt *c, uint64_t *size)
{
    *size = TAR_END;
    for (size_t i = 0; i < c->nobjects; i++) {
        const struct file_attr attr = attr_of(&c->objects[i]);
        int n = tarhead_len(c->objects[i].name, &attr);
        if (n < 0)
            return n;
        *size += (uint64_t)n + tar_round_up(c->objects[i].size);
    }
    return 0;
}
