/* SPDX-License-Identifier: MIT */
#include "store/snapshot/loose_internal.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/influx/names.h"
#include "store/snapshot/walparts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void clear_files(struct loose_files *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->list[i].m.wal_cut);
    free(f->list);
}

void loose_free(struct loose *l)
{
    if (!l)
        return;
    clear_files(&l->data);
    clear_files(&l->wal);
    free(l->parts);
    free(l->files);
    free(l->c.members);
    free(l->meta);
    arena_free(&l->arena);
    free(l);
}

static void free_capture(struct capture *c)
{
    loose_free((struct loose *)c);
}

int loose_read(const struct loose_file *f, int fd, void *buf, size_t n, uint64_t off, struct err *e)
{
    while (n > 0) {
        uint64_t at = off;
        const size_t part = f->m.wal_cut ? walparts_at(f->m.wal_cut, off, n, &at) : n;
        int r = io_pread_all(fd, buf, part, at);
        if (r < 0)
            return err_sys(e, r, "%s", f->path);
        buf = (char *)buf + part;
        off += part;
        n -= part;
    }
    return 0;
}

static int read_member(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                       struct err *e)
{
    const struct loose *l = (const struct loose *)c;
    const struct loose_file *f = l->files[i];
    if (!f) {
        memcpy(buf, (const char *)l->meta + off, n);
        return 0;
    }
    autoclose int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(e, -errno, "%s", f->path) : loose_read(f, fd, buf, n, off, e);
}

static bool no_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    (void)c, (void)i, (void)out;
    return false;
}

static void forget_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    (void)c, (void)i, (void)sum;
}

static int keep_no_sums(struct capture *c, struct err *e)
{
    (void)c, (void)e;
    return 0;
}

static bool is_damaged(const struct capture *c, size_t i)
{
    return c->members[i].wal_cut && c->members[i].wal_cut->nbad > 0;
}

struct loose *loose_new(void)
{
    static const struct capture_ops ops = {.free = free_capture,
                                           .read = read_member,
                                           .sum = no_sum,
                                           .set_sum = forget_sum,
                                           .damaged = is_damaged,
                                           .keep_sums = keep_no_sums};
    struct loose *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->c.ops = &ops;
    l->c.left_out = &l->left_out;
    l->c.origin = (struct capture_origin){.kind = MANIFEST_FULL, .number = -1};
    atomic_init(&l->c.refs, 1);
    return l;
}

int loose_begin(struct loose *l, const char *db, const char *rp, uint64_t id)
{
    struct loose_part p = {.db = arena_text(&l->arena, db, strlen(db)),
                           .rp = arena_text(&l->arena, rp, strlen(rp)),
                           .id = id,
                           .data = l->data.n,
                           .wal = l->wal.n};
    if (!p.db || !p.rp || !array_grow(&l->parts, l->nparts))
        return -ENOMEM;
    l->parts[l->nparts++] = p;
    return 0;
}

/* The folder of the shard that was begun last, as a member's: "data/DB/RP/ID". */
static const char *loose_dir(struct loose *l, bool wal)
{
    const struct loose_part *p = &l->parts[l->nparts - 1];
    autofree char *dir = NULL;
    int n = asprintf(&dir, "%s/%s/%s/%" PRIu64, wal ? "wal" : "data", p->db, p->rp, p->id);
    return n < 0 ? NULL : arena_text(&l->arena, dir, (size_t)n);
}

static int loose_append(struct loose *l, const struct loose_file *f, bool wal)
{
    struct loose_files *to = wal ? &l->wal : &l->data;
    struct loose_part *p = &l->parts[l->nparts - 1];
    if (!array_grow(&to->list, to->n))
        return -ENOMEM;
    to->list[to->n++] = *f;
    if (wal)
        p->nwal++;
    else
        p->ndata++;
    p->bytes += f->m.attr.size;
    p->has_data = p->has_data || !wal;
    return 0;
}

/* What of a segment holds entries; torn: its last one may be. */
static int loose_cut_wal(struct loose_file *f, int fd, bool torn)
{
    uint64_t known = 0;
    int r = walparts_find(fd, f->m.attr.size, torn, &known, &f->m.wal_cut);
    if (r == 0)
        f->m.attr.size = walparts_size(f->m.wal_cut);
    return r;
}

/* An index folder counts as a member, too. */
static int loose_add(struct loose *l, const char *path, const char *name, const char *dir, bool wal,
                     bool torn, struct err *e)
{
    struct loose_file f = {.m = {.dir = dir}};
    struct stat st;
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, -errno, "%s", path);
    if (!S_ISREG(st.st_mode) && !(S_ISDIR(st.st_mode) && strcmp(name, NAME_INDEX) == 0))
        return err_set(e, -EINVAL, "%s: is not a regular file", path);
    f.m.attr = file_attr_of(&st);
    f.m.name = arena_text(&l->arena, name, strlen(name));
    f.path = arena_text(&l->arena, path, strlen(path));
    int r = f.m.name && f.path ? 0 : -ENOMEM;
    if (r == 0 && wal)
        r = loose_cut_wal(&f, fd, torn);
    if (r == 0)
        r = loose_append(l, &f, wal);
    if (r < 0)
        free(f.m.wal_cut);
    return r < 0 ? err_sys(e, r, "%s", path) : 0;
}

int loose_add_file(struct loose *l, const char *path, const char *name, bool wal, struct err *e)
{
    const char *dir = loose_dir(l, wal);
    return dir ? loose_add(l, path, name, dir, wal, true, e) : err_sys(e, -ENOMEM, "%s", path);
}

static bool is_wanted(const char *name, bool wal)
{
    return wal ? name_is_wal(name)
               : name_is_tsm(name) || name_is_tombstone(name) || strcmp(name, NAME_INDEX) == 0;
}

int loose_add_folder(struct loose *l, const char *path, bool wal, struct err *e)
{
    cleanup(dir_free) struct dir list = {0};
    const char *dir = loose_dir(l, wal);
    autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : dir ? dir_read(fd, &list) : -ENOMEM;
    size_t last = 0;
    if (r < 0)
        return err_sys(e, r, "%s", path);
    for (size_t i = 0; i < list.n; i++)
        last = is_wanted(list.names[i], wal) ? i : last;
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        autofree char *file = NULL;
        if (!is_wanted(list.names[i], wal))
            continue;
        if (asprintf(&file, "%s/%s", path, list.names[i]) < 0)
            return err_sys(e, -ENOMEM, "%s", path);
        r = loose_add(l, file, list.names[i], dir, wal, i == last, e);
    }
    if (r == 0 && !wal)
        l->parts[l->nparts - 1].has_data = true;
    return r;
}

size_t loose_count(const struct loose *l)
{
    return l->nparts;
}

struct loose_shard loose_at(const struct loose *l, size_t i)
{
    const struct loose_part *p = &l->parts[i];
    return (struct loose_shard){p->db, p->rp, p->id, p->ndata, p->nwal, p->bytes, p->has_data};
}

static void loose_list(struct loose *l, const struct loose_files *from)
{
    for (size_t i = 0; i < from->n; i++) {
        l->files[l->c.n] = &from->list[i];
        l->c.members[l->c.n++] = from->list[i].m;
    }
}

int loose_capture(struct loose **from, void *meta, size_t n, struct capture **out)
{
    cleanup(loose_freep) struct loose *l = steal_ptr(from);
    const size_t all = 1 + l->data.n + l->wal.n;
    l->meta = meta;
    l->c.members = calloc(all, sizeof(*l->c.members));
    l->files = calloc(all, sizeof(*l->files));
    if (!l->c.members || !l->files)
        return -ENOMEM;
    l->c.members[l->c.n++] = (struct member){
        .dir = "meta", .name = NAME_META_DB, .attr = {.size = n, .mode = S_IFREG | 0600}};
    loose_list(l, &l->data);
    loose_list(l, &l->wal);
    *out = &steal_ptr(&l)->c;
    return 0;
}
