/* SPDX-License-Identifier: MIT */
/* The summaries of large manifests are remembered in the catalogue: reading one takes a second for some
 * million files, and each process needs them all. */
#include "store/base/time.h"
#include "store/chain/cuts_internal.h"

#include <string.h>

#define LARGE (256 << 10) /* bytes */

/* What stands for the bytes of a file: it is written once, and replaced as a whole. */
static void summary_stamp(const struct stat *st, uint64_t stamp[CATALOG_STAMP])
{
    const uint64_t values[CATALOG_STAMP] = {
        sizeof(struct cut_summary),
        (uint64_t)st->st_dev,
        (uint64_t)st->st_ino,
        (uint64_t)st->st_size,
        (uint64_t)time_from_spec(&st->st_mtim),
        (uint64_t)time_from_spec(&st->st_ctim),
    };
    memcpy(stamp, values, sizeof(values));
}

int cuts_sum_up(struct cuts *c, const char *name, const struct stat *st, struct cut_summary *out,
                struct err *e)
{
    struct catalog *catalog = c->snapshots ? snapshots_catalog(c->snapshots) : NULL;
    uint64_t stamp[CATALOG_STAMP];
    if (!catalog || st->st_size < LARGE)
        return cut_summary_read(c->fd, name, out, e);
    summary_stamp(st, stamp);
    if (catalog_get_manifest(catalog, name, stamp, out, sizeof(*out), NULL) == 0)
        return 0;
    memset(out, 0, sizeof(*out)); /* with what lies between its members */
    int r = cut_summary_read(c->fd, name, out, e);
    if (r == 0)
        catalog_put_manifest(catalog, name, stamp, out, sizeof(*out), NULL);
    return r;
}
