/* SPDX-License-Identifier: MIT */
#include "store/influx/paths.h"

#include <stdlib.h>

void store_paths_free(struct store_paths *p)
{
    free(p->meta);
    free(p->data);
    free(p->wal);
    free(p->config);
    *p = (struct store_paths){0};
}
