/* SPDX-License-Identifier: MIT */
#include "store/snapshot/listing.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STRIDE 64

struct listing {
    const struct capture *capture;
    /* Renders line i into *buf (grown as needed) and returns its length; a folder has none. */
    int (*render)(const struct listing *l, size_t i, char **buf, size_t *cap);
    /* The length alone. */
    int (*length)(const struct listing *l, size_t i, char **buf, size_t *cap);
    listing_sum_fn *manifest_sum; /* of SHA256SUMS */
    void *ctx;
    size_t first_file; /* which line is the first without a comma before it */
    size_t nlines;     /* line 0, a line for each member, and for the manifest a last one */
    uint64_t *marks;   /* offset of every STRIDE-th line */
    uint64_t size;
};

static int grow(char **buf, size_t *cap, size_t n)
{
    if (n <= *cap)
        return 0;
    char *p = realloc(*buf, n * 2);
    if (!p)
        return -ENOMEM;
    *buf = p;
    *cap = n * 2;
    return 0;
}

static int put_json(struct json_object *o, const char *before, const char *after, char **buf,
                    size_t *cap)
{
    const char *text =
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    size_t n = text ? strlen(before) + strlen(text) + strlen(after) : 0;
    int r = text ? grow(buf, cap, n + 1) : -ENOMEM;
    if (r == 0) {
        stpcpy(stpcpy(stpcpy(*buf, before), text), after);
        r = (int)n;
    }
    json_object_put(o);
    return r;
}

static struct json_object *text_or_null(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

static int manifest_head(const struct listing *l, char **buf, size_t *cap)
{
    const struct catalog_record *rec = capture_record(l->capture);
    const struct capture_origin *origin = capture_origin(l->capture);
    char created[40];
    manifest_rfc3339(rec->created_ns, created);
    struct json_object *o = json_object_new_object();
    if (!o)
        return -ENOMEM;
    json_object_object_add(o, "version", json_object_new_int(1));
    json_object_object_add(o, "id", json_object_new_string(rec->id));
    json_object_object_add(o, "kind", json_object_new_string(manifest_kind_name(origin->kind)));
    if (origin->chain)
        json_object_object_add(o, "chain", json_object_new_string(origin->chain));
    json_object_object_add(o, "parent", text_or_null(origin->parent));
    json_object_object_add(o, "number",
                           origin->number < 0 ? NULL : json_object_new_int64(origin->number));
    json_object_object_add(o, "created", json_object_new_string(created));
    if (rec->wall_ns != rec->created_ns) {
        manifest_rfc3339(rec->wall_ns, created);
        json_object_object_add(o, "wall", json_object_new_string(created));
    }
    json_object_object_add(o, "host", json_text(rec->host));
    json_object_object_add(o, "index", json_object_new_uint64(rec->index));
    json_object_object_add(o, "skew_ns", json_object_new_int64(rec->skew_ns));
    int n = put_json(o, "", "", buf, cap);
    if (n < 0)
        return n;
    n--; /* the object goes on */
    int r = grow(buf, cap, (size_t)n + 16);
    if (r < 0)
        return r;
    strcpy(*buf + n, ",\"files\":[");
    return n + (int)strlen(",\"files\":[");
}

/* Names of members stay exact, whatever bytes they are: a chain is applied by them. */
typedef struct json_object *json_text_fn(const char *text);

static struct json_object *json_names(const char *const *names, size_t n, json_text_fn *make)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < n; i++)
        json_object_array_add(list, make(names[i]));
    return list;
}

static struct json_object *json_folders(const struct capture *c)
{
    char path[MEMBER_PATH_MAX];
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < capture_count(c); i++) {
        const struct member *m = capture_member(c, i);
        if (member_is_folder(m))
            json_object_array_add(list, json_object_new_string(member_path(m, path)));
    }
    return list;
}

static int manifest_tail(const struct listing *l, char **buf, size_t *cap)
{
    const struct capture_origin *origin = capture_origin(l->capture);
    struct json_object *o = json_object_new_object();
    struct json_object *left_out = omissions_json(capture_left_out(l->capture));
    size_t nlinks;
    const char *const *links = capture_links(l->capture, &nlinks);
    if (!o || !left_out)
        return -ENOMEM;
    json_object_object_add(o, "removed",
                           json_names(origin->removed, origin->nremoved, json_object_new_string));
    if (origin->chain) {
        json_object_object_add(
            o, "removed_folders",
            json_names(origin->removed_folders, origin->nremoved_folders, json_object_new_string));
        json_object_object_add(o, "folders", json_folders(l->capture));
    }
    if (nlinks)
        json_object_object_add(o, "links", json_names(links, nlinks, json_text));
    json_object_object_add(o, "left_out", left_out);
    int n = put_json(o, "\n],", "\n", buf, cap);
    if (n > 0) /* the object goes on here as well: without its opening bracket */
        memmove(*buf + 3, *buf + 4, (size_t)n - 3);
    return n < 0 ? n : n - 1;
}

static size_t digits(uint64_t n)
{
    size_t d = 1;
    while (n >= 10) {
        n /= 10;
        d++;
    }
    return d;
}

/* Whether JSON shows the name as it is. */
static bool is_plain(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == '"' || *name == '\\' || *name == 0x7f)
            return false;
    return true;
}

static const char entry_format[] =
    "%s{\"name\":%s,\"size\":%" PRIu64 ",\"index\":%" PRIu64 ",\"mtime_ns\":%" PRId64 "}";
/* What of that does not vary, with the quotes of a plain name. */
#define ENTRY_FIXED (sizeof("{\"name\":\"\",\"size\":,\"index\":,\"mtime_ns\":}") - 1)

static int quote(const char *path, char **out)
{
    if (is_plain(path))
        return asprintf(out, "\"%s\"", path) < 0 ? -ENOMEM : 0;
    struct json_object *o = json_object_new_string(path);
    const char *text = o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
    *out = text ? strdup(text) : NULL;
    json_object_put(o);
    return *out ? 0 : -ENOMEM;
}

static int manifest_line(const struct listing *l, size_t i, char **buf, size_t *cap)
{
    if (i == 0)
        return manifest_head(l, buf, cap);
    if (i == l->nlines - 1)
        return manifest_tail(l, buf, cap);
    const struct member *m = capture_member(l->capture, i - 1);
    if (member_is_folder(m))
        return 0;
    char path[MEMBER_PATH_MAX];
    autofree char *name = NULL;
    int r = quote(member_path(m, path), &name);
    if (r == 0)
        r = grow(buf, cap, strlen(name) + 128);
    if (r < 0)
        return r;
    return sprintf(*buf, entry_format, i == l->first_file ? "\n" : ",\n", name, m->attr.size,
                   m->index, m->attr.mtime_ns);
}

/* The same without the work: a look-up measures every line. */
static int manifest_length(const struct listing *l, size_t i, char **buf, size_t *cap)
{
    const struct member *m = i > 0 && i < l->nlines - 1 ? capture_member(l->capture, i - 1) : NULL;
    if (m && member_is_folder(m))
        return 0;
    if (!m || m->attr.mtime_ns < 0 || !is_plain(m->dir) || !is_plain(m->name))
        return manifest_line(l, i, buf, cap);
    return (int)(ENTRY_FIXED + member_path_len(m) + digits(m->attr.size) + digits(m->index) +
                 digits((uint64_t)m->attr.mtime_ns) + (i == l->first_file ? 1 : 2));
}

/* sha256sum(1) marks a line with a backslash when its name holds one, or a newline, escaped. */
static int sum_line(const uint8_t sum[SHA256_BYTES], const char *path, char **buf, size_t *cap)
{
    char hex[SHA256_HEX + 1];
    int r = grow(buf, cap, SHA256_HEX + 5 + 2 * strlen(path));
    if (r < 0)
        return r;
    char *p = *buf;
    if (strpbrk(path, "\\\n\r"))
        *p++ = '\\';
    sha256_hex(sum, hex);
    p = stpcpy(stpcpy(p, hex), "  ");
    for (; *path; path++) {
        if (*path == '\\' || *path == '\n' || *path == '\r')
            *p++ = '\\';
        *p++ = *path == '\n' ? 'n' : *path == '\r' ? 'r' : *path;
    }
    *p++ = '\n';
    return (int)(p - *buf);
}

static int sums_line(const struct listing *l, size_t i, char **buf, size_t *cap)
{
    uint8_t sum[SHA256_BYTES];
    if (i == 0) {
        int r = l->manifest_sum(l->ctx, sum);
        return r < 0 ? r : sum_line(sum, "manifest", buf, cap);
    }
    const struct member *m = capture_member(l->capture, i - 1);
    if (member_is_folder(m))
        return 0;
    char path[MEMBER_PATH_MAX];
    return capture_sum(l->capture, i - 1, sum) ? sum_line(sum, member_path(m, path), buf, cap)
                                               : -EIO;
}

static size_t escaped(const char *name)
{
    size_t n = 0;
    for (; *name; name++)
        n += *name == '\\' || *name == '\n' || *name == '\r';
    return n;
}

static int sums_length(const struct listing *l, size_t i, char **buf, size_t *cap)
{
    (void)buf, (void)cap;
    size_t fixed = SHA256_HEX + sizeof("  \n") - 1;
    if (i == 0)
        return (int)(fixed + strlen("manifest"));
    const struct member *m = capture_member(l->capture, i - 1);
    if (member_is_folder(m))
        return 0;
    size_t n = escaped(m->dir) + escaped(m->name);
    return (int)(fixed + member_path_len(m) + n + (n > 0));
}

static int measure(struct listing *l)
{
    autofree char *buf = NULL;
    size_t cap = 0;
    l->marks = malloc((l->nlines / STRIDE + 1) * sizeof(*l->marks));
    if (!l->marks)
        return -ENOMEM;
    for (size_t i = 0; i < l->nlines; i++) {
        if (i % STRIDE == 0)
            l->marks[i / STRIDE] = l->size;
        int n = l->length(l, i, &buf, &cap);
        if (n < 0)
            return n;
        l->size += (uint64_t)n;
    }
    return 0;
}

static int finish(struct listing *l, struct listing **out)
{
    int r = measure(l);
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
    l->render = manifest_line;
    l->length = manifest_length;
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
    l->render = sums_line;
    l->length = sums_length;
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
    size_t lo = 0, hi = (l->nlines - 1) / STRIDE;
    while (lo < hi) {
        size_t mid = lo + (hi - lo + 1) / 2;
        if (l->marks[mid] <= off)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

int listing_read(const struct listing *l, char *out, size_t n, uint64_t off)
{
    autofree char *buf = NULL;
    size_t cap = 0, i = stride_at(l, off) * STRIDE;
    uint64_t at = l->marks[i / STRIDE];
    for (; n > 0; i++) {
        if (i >= l->nlines)
            return -EINVAL;
        int len = l->render(l, i, &buf, &cap);
        if (len < 0)
            return len;
        if (at + (uint64_t)len > off) {
            size_t skip = (size_t)(off - at), take = (size_t)len - skip;
            take = take < n ? take : n;
            memcpy(out, buf + skip, take);
            out += take;
            off += take;
            n -= take;
        }
        at += (uint64_t)len;
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
