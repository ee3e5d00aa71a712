/* SPDX-License-Identifier: MIT */
#include "store/rewrite/merge_scan.h"

#include "store/base/cleanup.h"
#include "store/influx/tsmfile.h"
#include "store/points/deletes.h"
#include "store/points/walcache.h"

#include <errno.h>

/* d: what is deleted from the file; influxd forgets keys without a value when it opens it. */
static int scan_keys(struct merge_types *t, const struct source *tsm, struct deletes *d, bool *fits,
                     struct err *e)
{
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    struct tsmfile_key key;
    int r = tsmfile_open(tsm, &f, e);
    *fits = true;
    while (r == 0 && (r = tsmfile_next(f, &key, e)) == 1) {
        const struct slice name = {key.key, key.len};
        bool this_fits = true;
        r = d && key_deletes_all(deletes_of(d, name), key.min, key.max)
                ? 0
                : merge_types_take(t, name, key.type, tsm->name, &this_fits, e);
        *fits &= this_fits;
    }
    return r;
}

int merge_scan_file(struct merge_types *t, const struct source *tsm, bool *fits, struct err *e)
{
    return scan_keys(t, tsm, NULL, fits, e);
}

static int scan_tsm(struct merge_types *t, const struct capture *c, const struct shard_tsm *of,
                    struct err *e)
{
    cleanup(membersource_clear) struct membersource tsm = {.path = NULL}, gone = {.path = NULL};
    cleanup(deletes_freep) struct deletes *d = NULL;
    const bool tombstone = of->tombstone != MEMBER_NONE;
    bool fits;
    if (membersource_init(&tsm, c, of->tsm) < 0 ||
        (tombstone && membersource_init(&gone, c, of->tombstone) < 0))
        return err_sys(e, -ENOMEM, "the fields of a shard");
    int r = deletes_read(tombstone ? &gone.source : NULL, (struct slice){NULL, 0}, &d, e);
    return r < 0 ? r : scan_keys(t, &tsm.source, d, &fits, e);
}

static int scan_wal(struct merge_types *t, const struct capture *c, const struct shard_files *sh,
                    struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *w = NULL;
    bool fits;
    int r = walcache_open(&(struct walcache_query){.of = {.capture = c, .shard = sh}}, &w, e);
    for (size_t i = 0; r == 0 && i < walcache_count(w); i++) {
        const struct walcache_key k = walcache_at(w, i);
        r = merge_types_take(t, k.key, k.type, capture_member(c, sh->wal[0])->dir, &fits, e);
    }
    return r;
}

int merge_scan_shard(struct merge_types *t, const struct capture *c, const struct shard_files *sh,
                     struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < sh->ntsm; i++)
        r = scan_tsm(t, c, &sh->tsm[i], e);
    return r == 0 && sh->nwal ? scan_wal(t, c, sh, e) : r;
}
