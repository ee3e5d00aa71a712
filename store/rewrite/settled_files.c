/* SPDX-License-Identifier: MIT */
/* The files of a settled shard: a list of members and of parts of one nameless file. */
#include "store/rewrite/settled_internal.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the files of a shard");
}

void settled_free(struct settled *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        free(s->entries[i].name);
    free(s->entries);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

size_t settled_count(const struct settled *s)
{
    return s->n;
}

const struct settled_file *settled_at(const struct settled *s, size_t i)
{
    return &s->entries[i].file;
}

int settled_read(const struct settled *s, size_t i, void *buf, size_t n, uint64_t off,
                 struct err *e)
{
    const struct settled_entry *f = &s->entries[i];
    if (f->file.member != MEMBER_NONE)
        return capture_read(s->capture, f->file.member, buf, n, off, e);
    int r = io_pread_all(s->fd, buf, n, f->offset + off);
    return r < 0 ? err_sys(e, r, "a nameless file with %s", f->file.name) : 0;
}

/* GENERATION-SEQUENCE.tsm */
static uint64_t generation_of(const char *name)
{
    return strtoull(name, NULL, 10);
}

/* influxd's next name (tsdb/engine/tsm1/file_store.go NextGeneration). It reads files in the order of
 * their names as text, in which a number of another width than nine digits stands elsewhere: then
 * the last file's generation is continued. */
static int settled_next_name(const struct settled_query *q, unsigned i, char **out, struct err *e)
{
    const struct shard_files *sh = q->shard;
    const char *last = "";
    uint64_t generation = 0;
    for (size_t k = 0; k < sh->ntsm; k++) {
        last = capture_member(q->capture, sh->tsm[k].tsm)->name; /* they ascend */
        generation = generation_of(last) > generation ? generation_of(last) : generation;
    }
    autofree char *name = NULL;
    int n = asprintf(&name, "%09" PRIu64 "-%09u" NAME_TSM_SUFFIX, generation + 1, i + 1);
    if (n >= 0 && strcmp(name, last) <= 0) {
        const char *sequence = strchr(last, '-') + 1;
        int width = (int)strcspn(sequence, ".");
        free(steal_ptr(&name));
        n = asprintf(&name, "%.*s%0*" PRIu64 NAME_TSM_SUFFIX, (int)(sequence - last), last, width,
                     generation_of(sequence) + i + 1);
    }
    if (n < 0)
        return err_sys(e, -ENOMEM, "the name of a TSM file");
    if (strcmp(name, last) <= 0 || !name_is_tsm(name))
        return err_set(e, -EOVERFLOW, "data/%s/%s/%" PRIu64 "/%s: no name sorts after it", sh->db,
                       sh->rp, sh->id, last);
    *out = steal_ptr(&name);
    return 0;
}

int64_t settled_later(const struct settled_query *q, size_t member, int64_t mtime_ns)
{
    int64_t its = capture_member(q->capture, member)->attr.mtime_ns;
    return its > mtime_ns ? its : mtime_ns;
}

int settled_pass(struct settled *s, const struct settled_query *q, size_t member, struct err *e)
{
    const struct member *m = capture_member(q->capture, member);
    if (!array_grow(&s->entries, s->n))
        return no_memory(e);
    s->entries[s->n++] = (struct settled_entry){
        .file = {m->name, m->attr.size, m->attr.mtime_ns, member},
    };
    return 0;
}

static int settled_open_made(struct settled *s, const struct settled_query *q, struct err *e)
{
    if (s->fd < 0)
        s->fd = io_open_nameless(q->folder, ".");
    return s->fd < 0 ? err_sys(e, s->fd, "a nameless file for TSM files") : 0;
}

static int settled_begin(void *ctx, unsigned i, struct err *e)
{
    const struct settled_output *o = ctx;
    struct settled *s = o->s;
    autofree char *name = NULL;
    int r = settled_open_made(s, o->q, e);
    if (r == 0 && !o->name)
        r = settled_next_name(o->q, i, &name, e);
    if (r < 0)
        return r;
    if (!array_grow(&s->entries, s->n))
        return no_memory(e);
    struct settled_entry *n = &s->entries[s->n++];
    *n = (struct settled_entry){.name = steal_ptr(&name), .offset = s->end};
    n->file = (struct settled_file){o->name ? o->name : n->name, 0, o->mtime_ns, MEMBER_NONE};
    return 0;
}

static int settled_write(void *ctx, const void *buf, size_t n, struct err *e)
{
    struct settled *s = ((const struct settled_output *)ctx)->s;
    int r = io_pwrite_all(s->fd, buf, n, s->end);
    s->end += n;
    return r < 0 ? err_sys(e, r, "a nameless file for TSM files") : 0;
}

static int settled_end(void *ctx, uint64_t size, struct err *e)
{
    struct settled *s = ((const struct settled_output *)ctx)->s;
    (void)e;
    s->entries[s->n - 1].file.size = size;
    return 0;
}

int settled_writer(struct settled_output *o, struct tsmwriter **out, struct err *e)
{
    /* A file that is written anew has at most the blocks that it had. */
    const struct tsmwriter_output output = {
        .begin = settled_begin,
        .write = settled_write,
        .end = settled_end,
        .ctx = o,
        .file_size = o->name ? UINT64_MAX : TSMWRITER_FILE_SIZE,
    };
    return tsmwriter_new(&output, o->q->folder, out, e);
}
