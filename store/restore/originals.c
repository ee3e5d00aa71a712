/* SPDX-License-Identifier: MIT */
#include "store/restore/originals.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)256 << 10)

struct originals {
    struct cutuse *cut;
    struct cutstream *stream; /* of it, from the path on that was sought last; or NULL */
    char sought[PATH_MAX];
    struct cut_entry next; /* what it has there, */
    char path[PATH_MAX];   /* and its path; "": its end */
    struct placing *placing;
    size_t linked;

    struct cut_entry f; /* being compared, */
    char name[PATH_MAX];
    struct file_attr as;
    int fd;
    uint64_t matched; /* and bytes of it that were equal */
    char *buf;
};

static int originals_find_cut(struct cuts *c, const char *id, uint64_t *serial, struct err *e)
{
    autofree struct cut_info *list = NULL;
    struct err broken = {0};
    size_t n = 0;
    int r = cuts_list(c, &list, &n, &broken, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        *serial = list[i].head.serial;
        if (strcmp(list[i].head.id, id) == 0)
            return 0;
    }
    return r < 0 ? r : -ENOENT;
}

int originals_open(struct cuts *c, const char *id, struct originals **out, struct err *e)
{
    uint64_t serial = 0;
    int r = originals_find_cut(c, id, &serial, e);
    if (r < 0)
        return r;
    struct originals *o = calloc(1, sizeof(*o));
    if (!o || !(o->buf = malloc(PIECE))) {
        free(o);
        return -ENOMEM;
    }
    o->fd = -1;
    r = cutuse_begin(c, serial, &o->cut, e);
    if (r == 0)
        r = placing_open(c, &o->placing, e);
    if (r < 0)
        originals_close(o);
    else
        *out = o;
    return r;
}

void originals_close(struct originals *o)
{
    if (!o)
        return;
    placing_close(o->placing);
    cutstream_free(o->stream);
    cutuse_end(o->cut);
    cleanup_close(&o->fd);
    free(o->buf);
    free(o);
}

/* Makes o->path the first path that is not before this one. Most names come in order. */
static int originals_seek(struct originals *o, const char *name)
{
    const struct cut_entry *f = NULL;
    int r = 0;
    const bool onward = o->stream && cut_path_cmp(o->sought, name) <= 0;
    if (onward && (!*o->path || cut_path_cmp(o->path, name) >= 0))
        return 0;
    if (!onward) {
        cutstream_free(steal_ptr(&o->stream));
        r = cutuse_stream(o->cut, &o->stream, NULL);
    }
    if (r == 0)
        r = cutstream_seek(o->stream, name, NULL);
    if (r == 0)
        r = cutstream_next(o->stream, &f, NULL);
    o->next = f ? *f : (struct cut_entry){0};
    strcpy(o->path, f ? f->path : "");
    o->next.path = o->path;
    strcpy(o->sought, name);
    return r;
}

/* The retained file of that name and size, valid until the next call; NULL: there is none. */
static const struct cut_entry *originals_find(struct originals *o, const char *name, uint64_t size)
{
    if (originals_seek(o, name) < 0 || strcmp(o->path, name) != 0)
        return NULL;
    return !cut_is_folder(&o->next) && o->next.attr.size == size ? &o->next : NULL;
}

static bool originals_can_link(struct originals *o, const struct cut_entry *f,
                               const struct file_attr *as, dev_t dev)
{
    bool links = false;
    return placing_links(o->placing, f, as, dev, &links, NULL) == 0 && links;
}

bool originals_has(struct originals *o, const char *name, const struct file_attr *as, dev_t dev)
{
    const struct cut_entry *f = originals_find(o, name, as->size);
    if (!f)
        return false;
    struct file_attr own = f->attr;
    own.uid = as->uid;
    own.gid = as->gid;
    return originals_can_link(o, f, &own, dev);
}

bool originals_begin(struct originals *o, const char *name, const struct file_attr *as, dev_t dev)
{
    const struct cut_entry *f = originals_find(o, name, as->size);
    if (!f)
        return false;
    o->f = *f;
    strcpy(o->name, name);
    o->f.path = o->name;
    o->as = *as;
    o->as.mtime_ns = f->attr.mtime_ns;
    if (!originals_can_link(o, f, &o->as, dev))
        return false;
    cleanup_close(&o->fd);
    o->fd = cuts_open_file(cutuse_cuts(o->cut), f, NULL);
    o->matched = 0;
    return o->fd >= 0;
}

bool originals_match(struct originals *o, const void *buf, size_t n)
{
    if (n > o->f.attr.size - o->matched)
        return false;
    for (size_t at = 0; at < n;) {
        const size_t piece = n - at < PIECE ? n - at : PIECE;
        if (io_pread_all(o->fd, o->buf, piece, o->matched + at) < 0 ||
            memcmp(o->buf, (const char *)buf + at, piece) != 0)
            return false;
        at += piece;
    }
    o->matched += n;
    return true;
}

int originals_link(struct originals *o, int64_t mtime_ns, int folder, const char *name,
                   struct err *e)
{
    bool linked = false;
    if (o->matched != o->f.attr.size || mtime_ns != o->f.attr.mtime_ns)
        return 0;
    int r = placing_put(o->placing, &o->f, &o->as, folder, name, &linked, e);
    o->linked += r == 0 && linked;
    return r < 0 ? r : 1;
}

int originals_piece(struct originals *o, uint64_t at, const void **bytes, size_t *n)
{
    const uint64_t left = o->matched - at;
    *n = left < PIECE ? (size_t)left : PIECE;
    *bytes = o->buf;
    return *n ? io_pread_all(o->fd, o->buf, *n, at) : 0;
}

size_t originals_linked(const struct originals *o)
{
    return o->linked;
}
