/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/chain/cut_make_internal.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <string.h>

#define PIECE ((size_t)64 << 10)

bool cut_same_bytes(const struct cut_entry *old, const struct member *m)
{
    return old->ino == (m->held ? held_inode(m->held) : 0) && old->attr.size == m->attr.size &&
           old->attr.mtime_ns == m->attr.mtime_ns;
}

/* What was retained of the file; *fd is -1 where that is lost or damaged. It is the same as nothing,
 * then, and what the store has is retained anew, so that the chain is whole from there on. */
static int cut_open_old(const struct making *m, const struct cut_entry *old, int *fd, struct err *e)
{
    struct err why = {0};
    int r = pool_open(m->cuts_fd, &old->place, old->attr.size, &why);
    *fd = r < 0 ? -1 : r;
    return r >= 0 || r == -EIO ? 0 : err_set(e, r, "%s", why.text);
}

/* Whether the retained file and the member, which are of one size, have the same bytes. */
static int cut_equals(const struct making *m, const struct cut_entry *old, size_t i, bool *same,
                      struct err *e)
{
    autofree char *was = malloc(PIECE), *now = malloc(PIECE);
    autoclose int fd = -1;
    int r = was && now ? cut_open_old(m, old, &fd, e) : err_sys(e, -ENOMEM, "%s", old->path);
    *same = r == 0 && fd >= 0;
    for (uint64_t at = 0; *same && at < old->attr.size;) {
        const uint64_t left = old->attr.size - at;
        const size_t n = left < PIECE ? (size_t)left : PIECE;
        if ((r = capture_read(m->capture, i, now, n, at, e)) < 0)
            return r;
        *same = io_pread_all(fd, was, n, at) == 0 && memcmp(was, now, n) == 0;
        at += n;
    }
    return r;
}

int cut_is_put_back(const struct making *m, const struct cut_entry *old,
                    const struct cut_item *item, bool *out, struct err *e)
{
    const struct member *member = capture_member(m->capture, item->i);
    const char *name = path_last(item->path);
    *out = false;
    if (member_is_folder(member) || cut_is_folder(old) || name_is_tsm(name) ||
        name_is_tombstone(name) || old->attr.size != member->attr.size ||
        old->attr.mtime_ns != member->attr.mtime_ns || old->attr.mode != member->attr.mode ||
        old->attr.uid != member->attr.uid || old->attr.gid != member->attr.gid)
        return 0;
    return cut_equals(m, old, item->i, out, e);
}

int cut_meta_matters(const struct making *m, const struct cut_entry *old,
                     const struct cut_item *item, bool *out, struct err *e)
{
    size_t size = capture_member(m->capture, item->i)->attr.size;
    bool same = false;
    autofree char *was = malloc(old->attr.size + 1), *now = malloc(size + 1);
    autoclose int fd = -1;
    int r = was && now ? cut_open_old(m, old, &fd, e) : err_sys(e, -ENOMEM, "meta.db");
    *out = true;
    if (r < 0 || fd < 0 || io_pread_all(fd, was, old->attr.size, 0) < 0)
        return r;
    if ((r = capture_read(m->capture, item->i, now, size, 0, e)) < 0)
        return r;
    /* What was retained may be damaged in other ways; the capture has read the new one. */
    *out = meta_same_but(was, old->attr.size, now, size, NAME_INTERNAL, &same, NULL) < 0 || !same;
    return 0;
}

int cut_retain(struct making *m, const struct cut_entry *old, const struct cut_item *item,
               struct cut_entry *out, struct err *e)
{
    const struct member *member = capture_member(m->capture, item->i);
    bool linked = true;
    out->index = member->index;
    out->ino = member->held ? held_inode(member->held) : 0;
    out->have_sum = capture_sum(m->capture, item->i, out->sum);
    if (old && cut_same_bytes(old, member)) {
        out->place = old->place;
        if (!out->have_sum && (out->have_sum = old->have_sum))
            memcpy(out->sum, old->sum, SHA256_BYTES);
        return 0;
    }
    if (reader_interrupted(m->reader))
        return err_set(e, -EINTR, "interrupted while the cut was made");
    struct err damaged = {0}; /* reported by damage.h on request; the bytes are retained */
    int r = damage_look(m->capture, item->i, DAMAGE_ENDS, &damaged);
    if (r < 0 && r != -EBADMSG)
        return err_set(e, r, "%s", damaged.text);
    r = pool_add(&m->pool, m->capture, item->i, &out->place, &linked, e);
    if (r < 0)
        return r;
    m->out->files++;
    m->out->bytes += member->attr.size;
    if (m->rules->file)
        m->rules->file(m->rules->arg, item->path, member->attr.size, linked);
    return 0;
}
