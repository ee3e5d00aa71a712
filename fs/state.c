/* SPDX-License-Identifier: MIT */
#include "fs/state.h"

#include "store/base/cleanup.h"
#include "store/influx/statefolder.h"

#include <string.h>

void state_open(const struct store_paths *paths, const char *given, struct state *out)
{
    autofree char *path = NULL;
    *out = (struct state){0};
    int r = state_folder(paths, given, true, &path);
    if (r == 0)
        out->path = steal_ptr(&path);
    else
        err_set(&out->lacks, 0,
                "state folder %s: %s; without it checksums are computed again and now.tar gets "
                "another id after each mount (set -o state=)",
                path    ? path
                : given ? given
                        : "",
                strerror(-r));
}

void state_close(struct state *s)
{
    free(s->path);
    s->path = NULL;
}
