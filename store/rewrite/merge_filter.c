/* SPDX-License-Identifier: MIT */
#include "store/rewrite/merge_filter.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/tsmfile.h"

#include <errno.h>

struct copy {
    struct tsmfile *from;
    struct tsmwriter *to;
    struct tsmfile_entry *entries; /* of the current key; reading blocks discards it */
    size_t cap;                    /* bytes */
};

static void copy_clear(struct copy *c)
{
    tsmfile_free(c->from);
    tsmwriter_free(c->to);
    free(c->entries);
}

static int filter_copy_key(struct copy *c, const struct tsmfile_key *key, struct err *e)
{
    const enum value_type type = key->type;
    const size_t n = key->nentries;
    if (!array_renew(&c->entries, &c->cap, n * sizeof(*c->entries)))
        return err_sys(e, -ENOMEM, "%s", tsmfile_name(c->from));
    for (size_t i = 0; i < n; i++)
        c->entries[i] = tsmfile_entry(key, i);
    int r = tsmwriter_key(c->to, (struct slice){key->key, key->len}, type, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const void *block;
        size_t bytes;
        r = tsmfile_raw(c->from, &c->entries[i], type, &block, &bytes, e);
        if (r == 0)
            r = tsmwriter_block(c->to, block, bytes, c->entries[i].min, c->entries[i].max, e);
    }
    return r;
}

int merge_filter(const struct source *tsm, merge_filter_fn *stays, void *ctx,
                 const struct tsmwriter_output *out, int folder, struct err *e)
{
    cleanup(copy_clear) struct copy c = {.from = NULL};
    struct tsmfile_key key;
    int r = tsmfile_open(tsm, &c.from, e);
    if (r == 0)
        r = tsmwriter_new(out, folder, &c.to, e);
    while (r == 0 && (r = tsmfile_next(c.from, &key, e)) == 1)
        r = stays(ctx, (struct slice){key.key, key.len}, key.type) ? filter_copy_key(&c, &key, e)
                                                                   : 0;
    return r < 0 ? r : tsmwriter_finish(c.to, e);
}
