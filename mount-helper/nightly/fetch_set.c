/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_set.h"

#include "store/base/time.h"

#include <sys/stat.h>
#include <time.h>

/* Its owner is of no interest; what is made of it gets its time. */
static struct file_attr attr_of(const struct receipt *c, const struct receipt_object *o)
{
    struct tm at = {0};
    strptime(c->run, "%Y%m%dT%H%M%SZ", &at);
    return (struct file_attr){
        .size = o->size, .mode = S_IFREG | 0600, .mtime_ns = timegm(&at) * SECOND_NS};
}

int fetch_set_head(const struct receipt *c, const struct receipt_object *o, char buf[TARHEAD_MAX])
{
    const struct file_attr attr = attr_of(c, o);
    return tarhead_write(o->name, &attr, buf);
}

int fetch_set_size(const struct receipt *c, uint64_t *size)
{
    *size = TAR_END;
    for (size_t i = 0; i < c->nobjects; i++) {
        const struct file_attr attr = attr_of(c, &c->objects[i]);
        int n = tarhead_len(c->objects[i].name, &attr);
        if (n < 0)
            return n;
        *size += (uint64_t)n + tar_round_up(c->objects[i].size);
    }
    return 0;
}
