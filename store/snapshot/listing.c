/* SPDX-License-Identifier: MIT */
#include "store/snapshot/listing.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/snapshot/manifest_text.h"

#include <errno.h>
#include <string.h>

#define STRIDE 64

struct listing {
    const struct capture *capture;
    /* Appends line i; a folder has none. 0 or -errno. */
    int (*render)(const struct listing *l, size_t i, struct buffer *out);
    /* Its length; SIZE_MAX: it must be rendered to tell. */
    size_t (*length)(const struct listing *l, size_t i);
    listing_sum_fn *manifest_sum; /* of SHA256SUMS */
    void *ctx;
    size_t first_file; /* which line is the first without a comma before it */
    size_t nlines;     /* line 0, a line for each member, and for the manifest a last one */
    uint64_t *marks;   /* offset of every STRIDE-th line */
    uint64_t size;
};

/* Fills in the manifest's head; it borrows everything but the folders. */
static int listing_about(const struct capture *c, struct manifest *m, char times[2][TIME_TEXT])
{
    const struct catalog_record *rec = capture_record(c);
    const struct capture_origin *o = capture_origin(c);
    time_exact_text(rec->created_ns, times[0]);
    time_exact_text(rec->wall_ns, times[1]);
    *m = (struct manifest){.id = (char *)rec->id,
                           .kind = o->kind,
                           .chain = (char *)o->chain,
                           .parent = (char *)o->parent,
                           .number = o->number,
                           .created = times[0],
                           .wall = rec->wall_ns == rec->created_ns ? NULL : times[1],
                           .host = (char *)rec->host,
                           .index = rec->index,
                           .skew_ns = rec->skew_ns,
                           .removed = (char **)o->removed,
                           .nremoved = o->nremoved,
                           .removed_folders = (char **)o->removed_folders,
                           .nremoved_folders = o->nremoved_folders,
                           .lists_folders = o->chain != NULL,
                           .selection = (struct selection *)o->selection,
                           .left_out = *capture_left_out(c)};
    m->links = (char **)capture_links(c, &m->nlinks);
    for (size_t i = 0; m->lists_folders && i < capture_count(c); i++) {
        char path[MEMBER_PATH_MAX];
        const struct member *member = capture_member(c, i);
        if (!member_is_folder(member))
            continue;
        char *own = array_grow(&m->folders, m->nfolders) ? strdup(member_path(member, path)) : NULL;
        if (!own)
            return -ENOMEM;
        m->folders[m->nfolders++] = own;
    }
    return 0;
}

static int listing_edge(const struct listing *l, bool tail, struct buffer *out)
{
    char times[2][TIME_TEXT];
    struct manifest m;
    int r = listing_about(l->capture, &m, times);
    if (r == 0)
        (tail ? manifest_text_tail : manifest_text_head)(&m, out);
    for (size_t i = 0; i < m.nfolders; i++)
        free(m.folders[i]);
    free(m.folders);
    return r;
}

static struct manifest_file listing_file(const struct member *m, char *path)
{
    return (struct manifest_file){path, m->attr.size, m->index, m->attr.mtime_ns};
}

static int listing_manifest_line(const struct listing *l, size_t i, struct buffer *out)
{
    char path[MEMBER_PATH_MAX];
    if (i == 0 || i == l->nlines - 1)
        return listing_edge(l, i > 0, out);
    const struct member *m = capture_member(l->capture, i - 1);
    if (member_is_folder(m))
        return 0;
    const struct manifest_file f = listing_file(m, member_path(m, path));
    manifest_text_file(&f, i == l->first_file, out);
    return 0;
}

/* A look-up measures every line. */
static size_t listing_manifest_length(const struct listing *l, size_t i)
{
    const struct member *m = i > 0 && i < l->nlines - 1 ? capture_member(l->capture, i - 1) : NULL;
    if (m && member_is_folder(m))
        return 0;
    if (!m || m->attr.mtime_ns < 0 || !manifest_text_is_plain(m->dir) ||
        !manifest_text_is_plain(m->name))
        return SIZE_MAX;
    const struct manifest_file f = listing_file(m, NULL);
    return manifest_text_file_length(&f, member_path_len(m), i == l->first_file);
}

/* sha256sum(1) marks a line with a backslash when its name holds one, or a newline, escaped. */
static void listing_sum_line(const uint8_t sum[SHA256_BYTES], const char *path, struct buffer *out)
{
    char hex[SHA256_HEX + 1];
    sha256_hex(sum, hex);
    buffer_string(out, strpbrk(path, "\\\n\r") ? "\\" : "");
    buffer_string(out, hex);
    buffer_string(out, "  ");
    for (; *path; path++) {
        if (*path == '\\' || *path == '\n' || *path == '\r')
            buffer_add(out, "\\", 1);
        buffer_add(out, *path == '\n' ? "n" : *path == '\r' ? "r" : path, 1);
    }
    buffer_add(out, "\n", 1);
}

static int listing_sums_line(const struct listing *l, size_t i, struct buffer *out)
{
    uint8_t sum[SHA256_BYTES];
    char path[MEMBER_PATH_MAX] = "manifest";
    const struct member *m = i > 0 ? capture_member(l->capture, i - 1) : NULL;
    if (m && member_is_folder(m))
        return 0;
    int r = !m ? l->manifest_sum(l->ctx, sum) : capture_sum(l->capture, i - 1, sum) ? 0 : -EIO;
    if (r == 0)
        listing_sum_line(sum, m ? member_path(m, path) : path, out);
    return r;
}

static size_t escaped(const char *name)
{
    size_t n = 0;
    for (; *name; name++)
        n += *name == '\\' || *name == '\n' || *name == '\r';
    return n;
}

static size_t listing_sums_length(const struct listing *l, size_t i)
{
    size_t fixed = SHA256_HEX + sizeof("  \n") - 1;
    if (i == 0)
        return fixed + strlen("manifest");
    const struct member *m = capture_member(l->capture, i - 1);
    if (member_is_folder(m))
        return 0;
    size_t n = escaped(m->dir) + escaped(m->name);
    return fixed + member_path_len(m) + n + (n > 0);
}

/* Makes *out line i alone. */
static int listing_line(const struct listing *l, size_t i, struct buffer *out)
{
    out->n = 0;
    int r = i < l->nlines ? l->render(l, i, out) : -EINVAL;
    return r == 0 && out->failed ? -ENOMEM : r;
}

static int listing_measure(struct listing *l)
{
    cleanup(buffer_free) struct buffer line = {0};
    l->marks = malloc((l->nlines / STRIDE + 1) * sizeof(*l->marks));
    if (!l->marks)
        return -ENOMEM;
    for (size_t i = 0; i < l->nlines; i++) {
        if (i % STRIDE == 0)
            l->marks[i / STRIDE] = l->size;
        size_t n = l->length(l, i);
        int r = n == SIZE_MAX ? listing_line(l, i, &line) : 0;
        if (r < 0)
            return r;
        l->size += n == SIZE_MAX ? line.n : n;
    }
    return 0;
}

static int finish(struct listing *l, struct listing **out)
{
    int r = listing_measure(l);
    if (r < 0) {
        listing_free(l);
        return r;
    }
    *out = l;
    return 0;
}

int listing_manifest(const struct capture *c, struct listing **out)
{
    struct listing *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->capture = c;
    l->render = listing_manifest_line;
    l->length = listing_manifest_length;
    l->nlines = capture_count(c) + 2;
    while (l->first_file < capture_count(c) && member_is_folder(capture_member(c, l->first_file)))
        l->first_file++;
    l->first_file++;
    return finish(l, out);
}

int listing_sums(const struct capture *c, listing_sum_fn *manifest_sum, void *ctx,
                 struct listing **out)
{
    struct listing *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->capture = c;
    l->render = listing_sums_line;
    l->length = listing_sums_length;
    l->manifest_sum = manifest_sum;
    l->ctx = ctx;
    l->nlines = capture_count(c) + 1;
    return finish(l, out);
}

void listing_free(struct listing *l)
{
    if (l)
        free(l->marks);
    free(l);
}

uint64_t listing_size(const struct listing *l)
{
    return l->size;
}

/* The stride that holds off. */
static size_t stride_at(const struct listing *l, uint64_t off)
{
    size_t n = (l->nlines - 1) / STRIDE + 1;
    return array_bisect_last(l->marks, n, off);
}

int listing_read(const struct listing *l, char *out, size_t n, uint64_t off)
{
    cleanup(buffer_free) struct buffer line = {0};
    size_t i = stride_at(l, off) * STRIDE;
    uint64_t at = l->marks[i / STRIDE];
    for (; n > 0; i++) {
        int r = listing_line(l, i, &line);
        if (r < 0)
            return r;
        if (at + line.n > off) {
            size_t skip = (size_t)(off - at), take = line.n - skip;
            take = take < n ? take : n;
            memcpy(out, line.p + skip, take);
            out += take;
            off += take;
            n -= take;
        }
        at += line.n;
    }
    return 0;
}

void listing_members(const struct listing *l, uint64_t off, uint64_t n, size_t *first, size_t *end)
{
    size_t members = capture_count(l->capture);
    size_t a = stride_at(l, off) * STRIDE, b = (stride_at(l, off + n - 1) + 1) * STRIDE;
    *first = a ? a - 1 : 0;
    *end = b - 1 < members ? b - 1 : members;
}
