/* SPDX-License-Identifier: MIT */
#include "store/sets/shardtar.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/owner.h"
#include "store/base/time.h"
#include "store/snapshot/tarhead.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shardtar {
    struct shardtar_of of;
    const struct settled *files;
    size_t n;
    uint64_t off[]; /* where each file's header stands, and where the end does */
};

static const struct shard_files *shardtar_shard(const struct shardtar_of *of)
{
    return shards_at(madeshards_list(of->shards), of->shard);
}

/* The i-th file of the store that the shard consists of, of any kind; NULL: there are no more. */
static const struct member *shardtar_part(const struct shardtar_of *of, size_t i)
{
    const struct capture *c = madeshards_capture(of->shards);
    const struct shard_files *s = shardtar_shard(of);
    if (i < s->ntsm)
        return capture_member(c, s->tsm[i].tsm);
    return i - s->ntsm < s->nwal ? capture_member(c, s->wal[i - s->ntsm]) : NULL;
}

int64_t shardtar_mtime_ns(const struct shardtar_of *of)
{
    const struct capture *c = madeshards_capture(of->shards);
    const struct shard_files *s = shardtar_shard(of);
    const struct member *m;
    int64_t latest = INT64_MIN;
    for (size_t i = 0; (m = shardtar_part(of, i)); i++)
        latest = time_later(latest, m->attr.mtime_ns);
    for (size_t i = 0; i < s->ntsm; i++)
        if (s->tsm[i].tombstone != MEMBER_NONE)
            latest = time_later(latest, capture_member(c, s->tsm[i].tombstone)->attr.mtime_ns);
    return latest;
}

/* Path and attributes of file i. What was made belongs to the owner of the shard's first file. */
static int shardtar_describe(const struct shardtar *t, size_t i, char path[MEMBER_PATH_MAX],
                             struct file_attr *attr)
{
    const struct shard_files *s = shardtar_shard(&t->of);
    const struct settled_file *f = settled_at(t->files, i);
    const struct member *m = f->member == MEMBER_NONE
                                 ? shardtar_part(&t->of, 0)
                                 : capture_member(madeshards_capture(t->of.shards), f->member);
    *attr = m->attr;
    attr->size = f->size;
    attr->mtime_ns = f->mtime_ns;
    int n =
        snprintf(path, MEMBER_PATH_MAX, "%s/%s/%" PRIu64 "/%s", s->db, s->rp, t->of.id, f->name);
    return n < MEMBER_PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int shardtar_lay_out(struct shardtar *t)
{
    uint64_t at = 0;
    for (size_t i = 0; i < t->n; i++) {
        char path[MEMBER_PATH_MAX];
        struct file_attr attr;
        int head = shardtar_describe(t, i, path, &attr);
        if (head == 0)
            head = tarhead_len(path, &attr);
        if (head < 0)
            return head;
        t->off[i] = at;
        at += (uint64_t)head + tar_round_up(attr.size);
    }
    t->off[t->n] = at;
    return 0;
}

int shardtar_open(const struct shardtar_of *of, const struct tarball_reader *reader,
                  struct shardtar **out, struct err *e)
{
    const struct settled *files;
    int r = madeshards_get(of->shards, of->shard, reader, &files, e);
    if (r < 0)
        return r;
    size_t n = settled_count(files);
    struct shardtar *t = calloc(1, sizeof(*t) + (n + 1) * sizeof(t->off[0]));
    if (!t) {
        madeshards_put(of->shards, of->shard);
        return err_sys(e, -ENOMEM, "a shard of a set");
    }
    *t = (struct shardtar){.of = *of, .files = files, .n = n};
    r = shardtar_lay_out(t);
    if (r < 0) {
        shardtar_close(t);
        return err_sys(e, r, "a shard of a set");
    }
    *out = t;
    return 0;
}

void shardtar_close(struct shardtar *t)
{
    if (t)
        madeshards_put(t->of.shards, t->of.shard);
    free(t);
}

uint64_t shardtar_size(const struct shardtar *t)
{
    return t->off[t->n] + TAR_END;
}

/* Reads from one region (header, body or padding) of file i, and says how much. */
static ssize_t shardtar_read_region(const struct shardtar *t, size_t i, char *buf, size_t n,
                                    uint64_t rel, struct err *e)
{
    char path[MEMBER_PATH_MAX], head[TARHEAD_MAX];
    struct file_attr attr;
    int r = shardtar_describe(t, i, path, &attr);
    const uint64_t whole = t->off[i + 1] - t->off[i], nhead = whole - tar_round_up(attr.size);
    const bool in_head = rel < nhead, in_body = !in_head && rel < nhead + attr.size;
    const uint64_t end = in_head ? nhead : in_body ? nhead + attr.size : whole;
    if (n > end - rel)
        n = (size_t)(end - rel);
    if (r == 0 && in_head) {
        r = tarhead_write(path, &attr, head);
        r = r < 0 ? r : (uint64_t)r == nhead ? 0 : -EIO;
        if (r == 0)
            memcpy(buf, head + rel, n);
    } else if (r == 0 && in_body) {
        r = settled_read(t->files, i, buf, n, rel - nhead, e);
    } else {
        memset(buf, 0, n);
    }
    if (r < 0 && e && !e->text[0])
        err_sys(e, r, "%s", path);
    return r < 0 ? r : (ssize_t)n;
}

int shardtar_read(const struct shardtar *t, void *buf, size_t n, uint64_t off, struct err *e)
{
    uint64_t at = off, end = off + n;
    while (at < end && at < t->off[t->n]) {
        size_t i = array_bisect_last(t->off, t->n + 1, at);
        ssize_t r = shardtar_read_region(t, i, (char *)buf + (at - off), (size_t)(end - at),
                                         at - t->off[i], e);
        if (r < 0)
            return (int)r;
        at += (uint64_t)r;
    }
    memset((char *)buf + (at - off), 0, (size_t)(end - at));
    return 0;
}

int shardtar_digest(const struct shardtar_of *of, uint8_t out[SHA256_BYTES], struct err *e)
{
    static const char what[] = "tar of a shard 1";
    const struct shard_files *s = shardtar_shard(of);
    const struct member *m;
    uint8_t files[SHA256_BYTES];
    int r = madeshards_digest(of->shards, of->shard, files, e);
    if (r < 0)
        return r;
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return err_sys(e, -ENOMEM, "a shard of a set");
    sha256_add(h, what, sizeof(what));
    sha256_add(h, files, sizeof(files));
    sha256_add(h, &of->id, sizeof(of->id));
    sha256_add(h, s->db, strlen(s->db) + 1);
    sha256_add(h, s->rp, strlen(s->rp) + 1);
    for (size_t i = 0; (m = shardtar_part(of, i)); i++) {
        const char *user = owner_user(m->attr.uid), *group = owner_group(m->attr.gid);
        const uint64_t f[] = {m->index,     m->attr.size, (uint64_t)m->attr.mtime_ns,
                              m->attr.mode, m->attr.uid,  m->attr.gid};
        sha256_add(h, f, sizeof(f));
        sha256_add(h, user, strlen(user) + 1);
        sha256_add(h, group, strlen(group) + 1);
    }
    sha256_end(h, out);
    return 0;
}
