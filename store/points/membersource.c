/* SPDX-License-Identifier: MIT */
#include "store/points/membersource.h"

#include <errno.h>
#include <stdlib.h>

static int read_member(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct membersource *s = ctx;
    return capture_read(s->capture, s->member, buf, n, off, e);
}

int membersource_init(struct membersource *s, const struct capture *c, size_t member)
{
    const struct member *m = capture_member(c, member);
    char *path = malloc(member_path_len(m) + 1);
    if (!path)
        return -ENOMEM;
    s->capture = c;
    s->member = member;
    s->path = member_path(m, path);
    s->source = (struct source){read_member, s, (uint64_t)m->attr.size, path};
    return 0;
}

void membersource_clear(struct membersource *s)
{
    free(s->path);
    s->path = NULL;
}
