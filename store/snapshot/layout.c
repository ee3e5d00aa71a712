/* SPDX-License-Identifier: MIT */
#include "store/snapshot/layout.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/snapshot/capture_impl.h"
#include "store/snapshot/manifest_text.h"
#include "store/snapshot/tarhead.h"

#include <errno.h>
#include <string.h>

#define STRIDE 32

/* Places and lengths, one for each text. */
struct extent {
    uint64_t in[LAYOUT_TEXTS];
};

/* Of members that lie together in memory. */
struct run_layout {
    struct extent size;
    size_t nmarks;
    struct extent marks[]; /* where every STRIDE-th member begins */
};

struct layout {
    const struct capture *capture;
    size_t first_file;
    size_t nblocks; /* runs, or one */
    const struct run_layout **blocks;
    struct run_layout
        *own; /* that of the block with the first file, which no other capture shares */
    uint64_t *at[LAYOUT_TEXTS]; /* where each block begins, and the last one ends */
};

struct block {
    const struct capture *capture;
    const struct member *members; /* NULL: they are looked at one by one */
    size_t first, n;
};

static struct block layout_block(const struct capture *c, size_t k)
{
    if (c->members || c->ops->look)
        return (struct block){c, c->members, 0, c->n};
    return (struct block){c, c->runs[k]->members, c->firsts[k], c->runs[k]->n};
}

static const struct member *block_member(const struct block *b, size_t i, struct capture_look *look)
{
    return b->members ? &b->members[i] : capture_look(b->capture, b->first + i, look, NULL);
}

/* sha256sum(1) escapes these. */
static size_t escaped(const char *name)
{
    size_t n = 0;
    for (; *name; name++)
        n += *name == '\\' || *name == '\n' || *name == '\r';
    return n;
}

static int length_in_tar(const struct member *m, uint64_t *out)
{
    char path[MEMBER_PATH_MAX];
    int head = tarhead_len(member_path(m, path), &m->attr);
    *out = (uint64_t)head + tar_round_up(m->attr.size);
    return head < 0 ? head : 0;
}

static int layout_manifest_line(const struct member *m, bool first, uint64_t *out)
{
    char path[MEMBER_PATH_MAX];
    const struct manifest_file f = {path, m->attr.size, m->index, m->attr.mtime_ns};
    if (m->attr.mtime_ns >= 0 && manifest_text_is_plain(m->dir) &&
        manifest_text_is_plain(m->name)) {
        *out = manifest_text_file_length(&f, member_path_len(m), first);
        return 0;
    }
    cleanup(buffer_free) struct buffer line = {0};
    member_path(m, path);
    manifest_text_file(&f, first, &line);
    *out = line.n;
    return line.failed ? -ENOMEM : 0;
}

static uint64_t length_in_sums(const struct member *m)
{
    const size_t more = escaped(m->dir) + escaped(m->name);
    return SHA256_HEX + sizeof("  \n") - 1 + member_path_len(m) + more + (more > 0);
}

/* In that text; a folder has no line. */
static int length_in(enum layout_text t, const struct member *m, bool first, uint64_t *out)
{
    *out = 0;
    if (t == IN_TAR)
        return length_in_tar(m, out);
    if (member_is_folder(m))
        return 0;
    if (t == IN_MANIFEST)
        return layout_manifest_line(m, first, out);
    *out = length_in_sums(m);
    return 0;
}

/* first_file: its number in the block, or any that is beyond. */
static int layout_measure(const struct block *b, size_t first_file, struct run_layout **out)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const size_t nmarks = (b->n + STRIDE - 1) / STRIDE;
    autofree struct run_layout *l = malloc(sizeof(*l) + nmarks * sizeof(l->marks[0]));
    if (!l)
        return -ENOMEM;
    *l = (struct run_layout){.nmarks = nmarks};
    for (size_t i = 0; i < b->n; i++) {
        if (i % STRIDE == 0)
            l->marks[i / STRIDE] = l->size;
        const struct member *m = block_member(b, i, &look);
        if (!m)
            return -EIO;
        for (enum layout_text t = 0; t < LAYOUT_TEXTS; t++) {
            uint64_t n;
            int r = length_in(t, m, i == first_file, &n);
            if (r < 0)
                return r;
            l->size.in[t] += n;
        }
    }
    *out = steal_ptr(&l);
    return 0;
}

/* What other captures of the run have found, or will find. */
static int layout_of_run(struct member_run *r, const struct block *b, const struct run_layout **out)
{
    struct run_layout *l = atomic_load(&r->layout), *there = NULL;
    int rc = l ? 0 : layout_measure(b, SIZE_MAX, &l);
    if (rc == 0 && l != atomic_load(&r->layout) &&
        !atomic_compare_exchange_strong(&r->layout, &there, l)) {
        free(l);
        l = there;
    }
    *out = l;
    return rc;
}

static int layout_fill(struct layout *l)
{
    const struct capture *c = l->capture;
    struct extent at = {{0}};
    for (size_t k = 0; k <= l->nblocks; k++) {
        for (enum layout_text t = 0; t < LAYOUT_TEXTS; t++)
            l->at[t][k] = at.in[t];
        if (k == l->nblocks)
            break;
        const struct block b = layout_block(c, k);
        int r;
        if (b.members == c->members ||
            (l->first_file >= b.first && l->first_file - b.first < b.n)) {
            r = layout_measure(&b, l->first_file - b.first, &l->own);
            l->blocks[k] = l->own;
        } else {
            r = layout_of_run(c->runs[k], &b, &l->blocks[k]);
        }
        if (r < 0)
            return r;
        for (enum layout_text t = 0; t < LAYOUT_TEXTS; t++)
            at.in[t] += l->blocks[k]->size.in[t];
    }
    return 0;
}

static int layout_find_first_file(struct layout *l)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m = NULL;
    while (l->first_file < l->capture->n &&
           (m = capture_look(l->capture, l->first_file, &look, NULL)) && member_is_folder(m))
        l->first_file++;
    return m || l->first_file == l->capture->n ? 0 : -EIO;
}

int layout_new(const struct capture *c, struct layout **out)
{
    struct layout *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->capture = c;
    l->nblocks = capture_runs(c);
    l->blocks = calloc(l->nblocks + 1, sizeof(struct run_layout *));
    int r = l->blocks ? 0 : -ENOMEM;
    for (enum layout_text t = 0; t < LAYOUT_TEXTS; t++)
        if (!(l->at[t] = calloc(l->nblocks + 1, sizeof(*l->at[t]))))
            r = -ENOMEM;
    if (r == 0)
        r = layout_find_first_file(l);
    if (r == 0)
        r = layout_fill(l);
    if (r < 0) {
        layout_free(l);
        return r;
    }
    *out = l;
    return 0;
}

void layout_free(struct layout *l)
{
    if (!l)
        return;
    for (enum layout_text t = 0; t < LAYOUT_TEXTS; t++)
        free(l->at[t]);
    free(l->blocks);
    free(l->own);
    free(l);
}

uint64_t layout_size(const struct layout *l, enum layout_text t)
{
    return l->at[t][l->nblocks];
}

bool layout_is_first_file(const struct layout *l, size_t i)
{
    return i == l->first_file;
}

int layout_length(const struct layout *l, enum layout_text t, size_t i, uint64_t *out)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m = capture_look(l->capture, i, &look, NULL);
    return m ? length_in(t, m, i == l->first_file, out) : -EIO;
}

/* The last mark that is not beyond off. */
static size_t layout_mark(const struct run_layout *b, enum layout_text t, uint64_t off)
{
    size_t low = 0, end = b->nmarks;
    while (end - low > 1) {
        const size_t middle = low + (end - low) / 2;
        if (b->marks[middle].in[t] <= off)
            low = middle;
        else
            end = middle;
    }
    return low;
}

int layout_find(const struct layout *l, enum layout_text t, uint64_t off, struct layout_place *out)
{
    const size_t k = array_bisect_last(l->at[t], l->nblocks, off);
    const struct block b = layout_block(l->capture, k);
    const uint64_t begin = l->at[t][k];
    const size_t mark = layout_mark(l->blocks[k], t, off - begin);
    cleanup(capture_look_end) struct capture_look look = {0};
    *out =
        (struct layout_place){b.first + mark * STRIDE, begin + l->blocks[k]->marks[mark].in[t], 0};
    for (;; out->i++, out->at += out->len) {
        const struct member *m = block_member(&b, out->i - b.first, &look);
        int r = m ? length_in(t, m, out->i == l->first_file, &out->len) : -EIO;
        if (r < 0 || out->at + out->len > off || out->i + 1 == b.first + b.n)
            return r;
    }
}
