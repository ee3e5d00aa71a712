/* SPDX-License-Identifier: MIT */
#include "store/snapshot/listing.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/snapshot/manifest_text.h"

#include <errno.h>
#include <string.h>

/* Lines: 0 is the head, i is that of member i - 1, and then comes the tail. */
struct listing {
    const struct layout *layout;
    enum layout_text text;
    const struct capture *capture;
    /* Appends line i; a folder has none. 0 or -errno. */
    int (*render)(const struct listing *l, size_t i, struct buffer *out);
    listing_sum_fn *manifest_sum; /* of SHA256SUMS */
    void *ctx;
    uint64_t head, tail; /* bytes */
};

/* Fills in what the manifest says beside its files; it borrows everything but the folders. */
static int listing_about(const struct capture *c, bool tail, struct manifest *m,
                         char times[2][TIME_TEXT])
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
    cleanup(capture_look_end) struct capture_look look = {0};
    m->links = (char **)capture_links(c, &m->nlinks);
    for (size_t i = 0; tail && m->lists_folders && i < capture_count(c); i++) {
        char path[MEMBER_PATH_MAX];
        const struct member *member = capture_look(c, i, &look, NULL);
        if (!member)
            return -EIO;
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
    int r = listing_about(l->capture, tail, &m, times);
    if (r == 0)
        (tail ? manifest_text_tail : manifest_text_head)(&m, out);
    for (size_t i = 0; i < m.nfolders; i++)
        free(m.folders[i]);
    free(m.folders);
    return r;
}

static int listing_manifest_line(const struct listing *l, size_t i, struct buffer *out)
{
    char path[MEMBER_PATH_MAX];
    if (i == 0 || i > capture_count(l->capture))
        return listing_edge(l, i > 0, out);
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m = capture_look(l->capture, i - 1, &look, NULL);
    if (!m || member_is_folder(m))
        return m ? 0 : -EIO;
    const struct manifest_file f = {member_path(m, path), m->attr.size, m->index, m->attr.mtime_ns};
    manifest_text_file(&f, layout_is_first_file(l->layout, i - 1), out);
    return 0;
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
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m = i > 0 ? capture_look(l->capture, i - 1, &look, NULL) : NULL;
    if (i > 0 && !m)
        return -EIO;
    if (m && member_is_folder(m))
        return 0;
    int r = !m ? l->manifest_sum(l->ctx, sum) : capture_sum(l->capture, i - 1, sum) ? 0 : -EIO;
    if (r == 0)
        listing_sum_line(sum, m ? member_path(m, path) : path, out);
    return r;
}

/* Makes *out line i alone. */
static int listing_line(const struct listing *l, size_t i, struct buffer *out)
{
    out->n = 0;
    int r = i <= capture_count(l->capture) + (l->tail > 0) ? l->render(l, i, out) : -EINVAL;
    return r == 0 && out->failed ? -ENOMEM : r;
}

static int listing_measure(struct listing *l, bool has_tail)
{
    cleanup(buffer_free) struct buffer line = {0};
    if (!has_tail) {
        l->head = SHA256_HEX + strlen("  manifest\n");
        return 0;
    }
    int r = listing_line(l, 0, &line);
    l->head = line.n;
    l->tail = 1; /* there is one */
    if (r == 0)
        r = listing_line(l, capture_count(l->capture) + 1, &line);
    l->tail = line.n;
    return r;
}

static int listing_new(const struct listing *as, bool has_tail, struct listing **out)
{
    struct listing *l = malloc(sizeof(*l));
    if (!l)
        return -ENOMEM;
    *l = *as;
    int r = listing_measure(l, has_tail);
    if (r < 0) {
        free(l);
        return r;
    }
    *out = l;
    return 0;
}

int listing_manifest(const struct capture *c, const struct layout *layout, struct listing **out)
{
    const struct listing as = {
        .layout = layout, .text = IN_MANIFEST, .capture = c, .render = listing_manifest_line};
    return listing_new(&as, true, out);
}

int listing_sums(const struct capture *c, const struct layout *layout, listing_sum_fn *manifest_sum,
                 void *ctx, struct listing **out)
{
    const struct listing as = {.layout = layout,
                               .text = IN_SUMS,
                               .capture = c,
                               .render = listing_sums_line,
                               .manifest_sum = manifest_sum,
                               .ctx = ctx};
    return listing_new(&as, false, out);
}

void listing_free(struct listing *l)
{
    free(l);
}

uint64_t listing_size(const struct listing *l)
{
    return l->head + layout_size(l->layout, l->text) + l->tail;
}

/* The line that holds byte off, and where it begins. */
static int listing_line_at(const struct listing *l, uint64_t off, size_t *line, uint64_t *at)
{
    const uint64_t lines = layout_size(l->layout, l->text);
    *line = 0;
    *at = 0;
    if (off < l->head)
        return 0;
    if (off - l->head >= lines) {
        *at = l->head + lines;
        *line = capture_count(l->capture) + 1;
        return 0;
    }
    struct layout_place p;
    int r = layout_find(l->layout, l->text, off - l->head, &p);
    if (r == 0) {
        *line = p.i + 1;
        *at = l->head + p.at;
    }
    return r;
}

int listing_read(const struct listing *l, char *out, size_t n, uint64_t off)
{
    cleanup(buffer_free) struct buffer line = {0};
    uint64_t at = 0;
    size_t i = 0;
    int r = n ? listing_line_at(l, off, &i, &at) : 0;
    for (; r == 0 && n > 0; i++) {
        r = listing_line(l, i, &line);
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
    return r;
}

int listing_members(const struct listing *l, uint64_t off, uint64_t n, size_t *first, size_t *end)
{
    uint64_t at;
    size_t a = 0, b = 0;
    int r = listing_line_at(l, off, &a, &at);
    if (r == 0)
        r = listing_line_at(l, off + n - 1, &b, &at);
    if (r < 0)
        return r;
    const size_t members = capture_count(l->capture);
    *first = a ? a - 1 : 0;
    *end = b < members ? b : members;
    return 0;
}
