/* SPDX-License-Identifier: MIT */
#include "store/chain/cutlist.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/chain/cut_line.h"
#include "store/chain/cutscan.h"
#include "store/chain/cutwriter.h"
#include "store/snapshot/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 30)

void cutlist_free(struct cutlist *l)
{
    if (!l)
        return;
    free(l->entries);
    free(l->removed);
    free(l->removed_folders);
    free(l->links);
    omissions_clear(&l->left_out);
    arena_free(&l->names);
    free(l->text);
    free(l);
}

static void put_names(FILE *f, char kind, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fprintf(f, "%c ", kind);
        cut_text_put(f, names[i]);
    }
}

static void put_left_out(FILE *f, const struct omissions *o)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct omission *m = &o->at[i];
        fprintf(f, "o %" PRIu64 " %" PRIu64 " %s ", m->files, m->bytes, omission_why_name(m->why));
        cut_text_put(f, m->name);
    }
}

void cutlist_put_head(FILE *f, const struct cut_head *h)
{
    fputs(CUT_MAGIC, f);
    cut_head_put(f, h);
}

void cutlist_put_rest(FILE *f, const struct cutlist *l)
{
    put_names(f, 'r', l->removed, l->nremoved);
    put_names(f, 'R', l->removed_folders, l->nremoved_folders);
    put_names(f, 'L', l->links, l->nlinks);
    put_left_out(f, &l->left_out);
}

static void put_lines(FILE *f, const struct cutlist *l)
{
    cutlist_put_head(f, &l->head);
    for (size_t i = 0; i < l->n; i++)
        cut_line_put(f, &l->entries[i]);
    cutlist_put_rest(f, l);
}

int cutlist_render(const struct cutlist *l, char **text, size_t *len)
{
    char hex[SHA256_HEX + 1];
    autofree char *own = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&own, &n);
    if (!f)
        return -ENOMEM;
    put_lines(f, l);
    int r = fflush(f) != 0 ? -ENOMEM : sha256_of(own, n, hex);
    if (r == 0)
        fprintf(f, "end %s\n", hex);
    bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed || r < 0)
        return -ENOMEM;
    *text = steal_ptr(&own);
    *len = n;
    return 0;
}

int cutlist_write(int dirfd, const char *name, const struct cutlist *l, struct err *e)
{
    cleanup(cutwriter_closep) struct cutwriter *w = NULL;
    int r = cutwriter_open(dirfd, name, &w, e);
    if (r < 0)
        return r;
    put_lines(cutwriter_text(w), l);
    return cutwriter_commit(w, e);
}

static size_t count_lines(const char *at, const char *end, char kind)
{
    size_t n = 0;
    for (const char *p = at; p && p + 1 < end;) {
        n += cut_line_kind(p) == kind;
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    return n;
}

static int make_room(struct cutlist *l, const struct cut_reader *r)
{
    size_t files = count_lines(r->at, r->end, 'f') + count_lines(r->at, r->end, 'd');
    l->entries = calloc(files + 1, sizeof(*l->entries));
    l->removed = calloc(count_lines(r->at, r->end, 'r') + 1, sizeof(*l->removed));
    l->removed_folders = calloc(count_lines(r->at, r->end, 'R') + 1, sizeof(*l->removed_folders));
    l->links = calloc(count_lines(r->at, r->end, 'L') + 1, sizeof(*l->links));
    return l->entries && l->removed && l->removed_folders && l->links ? 0 : -ENOMEM;
}

static int read_name(const struct cut_reader *r, bool path, bool folder, char *p, const char **list,
                     size_t *n)
{
    if (!cut_text_decode(p) || (path && !manifest_name_ok(p, folder)))
        return cut_text_bad(r, "a name that may not stand there");
    list[(*n)++] = p;
    return 0;
}

static int read_left_out(const struct cut_reader *r, bool old, char *p, struct omissions *o)
{
    struct omission m = {.why = OMITTED_UNKNOWN};
    if (!old && (!cut_parse_uint(cut_text_word(&p), 10, UINT64_MAX, &m.files) ||
                 !cut_parse_uint(cut_text_word(&p), 10, UINT64_MAX, &m.bytes) ||
                 !omission_why_find(cut_text_word(&p), &m.why)))
        return cut_text_bad(r, "what was left out");
    if (!*p || !cut_text_decode(p))
        return cut_text_bad(r, "a name that may not stand there");
    int rc = omissions_add(o, p, m.files, m.bytes, m.why);
    return rc < 0 ? err_sys(r->e, rc, "manifest of cut %s", r->name) : 0;
}

static int cutlist_read_line(const struct cut_reader *r, char *line, struct cutlist *l)
{
    char *p = line, kind = cut_line_kind(line);
    const char *key = cut_text_word(&p);
    int rc;
    switch (kind) {
    case 'f':
    case 'd':
        rc = cut_line_read(r, kind == 'd', p, &l->entries[l->n]);
        if (rc < 0)
            return rc;
        l->n++;
        if (l->n > 1 && cut_path_cmp(l->entries[l->n - 2].path, l->entries[l->n - 1].path) >= 0)
            return cut_text_bad(r, "names out of order");
        return 0;
    case 'r':
        return read_name(r, true, false, p, l->removed, &l->nremoved);
    case 'R':
        return read_name(r, true, true, p, l->removed_folders, &l->nremoved_folders);
    case 'L':
        return read_name(r, false, false, p, l->links, &l->nlinks);
    case 'o':
    case 'l':
        return read_left_out(r, kind == 'l', p, &l->left_out);
    default:
        return cut_head_read(r, key, p, &l->head);
    }
}

/* The seal is the last line, and holds the sum of all before it. */
static int cutlist_check_seal(struct cut_reader *r, char *text, size_t len)
{
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return err_sys(r->e, -ENOMEM, "manifest of cut %s", r->name);
    if (len < CUT_MAGIC_BYTES + CUT_SEAL_BYTES)
        return cut_seal_check(r->name, NULL, NULL, NULL, r->e);
    r->at = text + CUT_MAGIC_BYTES;
    r->end = text + len - CUT_SEAL_BYTES;
    r->line = 1;
    sha256_add(h, text, len - CUT_SEAL_BYTES);
    return cut_seal_check(r->name, text, r->end, h, r->e);
}

static int cutlist_read_lines(struct cut_reader *r, struct cutlist *l)
{
    int rc = make_room(l, r);
    if (rc < 0)
        return err_sys(r->e, rc, "manifest of cut %s", r->name);
    for (char *line; rc == 0 && (line = cut_text_line(r));)
        rc = cutlist_read_line(r, line, l);
    if (rc == 0 && r->at != r->end)
        rc = cut_text_bad(r, "the last line");
    if (rc == 0 && (!*l->head.id || !*l->head.chain))
        rc = cut_text_bad(r, "its id or chain is missing");
    return rc;
}

int cutlist_parse(const char *name, char *text, size_t len, struct cutlist **out, struct err *e)
{
    struct cut_reader r = {.name = name, .e = e};
    cleanup(cutlist_freep) struct cutlist *l = calloc(1, sizeof(*l));
    if (!l) {
        free(text);
        return err_sys(e, -ENOMEM, "manifest of cut %s", name);
    }
    l->head.number = -1;
    l->text = text;
    int rc = cutlist_check_seal(&r, text, len);
    if (rc == 0)
        rc = cutlist_read_lines(&r, l);
    if (rc == 0)
        *out = steal_ptr(&l);
    return rc;
}

/* Of a file whose seal was checked: one line of the rest, in memory of its own. */
static int cutlist_add_rest(const struct cut_reader *r, char *line, struct cutlist *l)
{
    char *p = line, *own;
    const char kind = cut_line_kind(line);
    cut_text_word(&p);
    if (kind == 'o' || kind == 'l')
        return read_left_out(r, kind == 'l', p, &l->left_out);
    if (kind != 'L')
        return cut_text_bad(r, "a line that may not stand there");
    if (!array_grow(&l->links, l->nlinks) || !(own = arena_text(&l->names, p, strlen(p))))
        return err_sys(r->e, -ENOMEM, "manifest of cut %s", r->name);
    return read_name(r, false, false, own, l->links, &l->nlinks);
}

int cutlist_read_rest(int dirfd, const char *name, struct cutlist **out, struct err *e)
{
    const struct cut_reader r = {.name = name, .e = e};
    cleanup(cutscan_closep) struct cutscan *f = NULL;
    cleanup(cutlist_freep) struct cutlist *l = calloc(1, sizeof(*l));
    char *line = NULL;
    int rc = l ? cutscan_open(dirfd, name, true, &f, e)
               : err_sys(e, -ENOMEM, "manifest of cut %s", name);
    while (rc == 0 && (rc = cutscan_rest(f, &line, e)) == 0 && line)
        rc = cutlist_add_rest(&r, line, l);
    if (rc == 0)
        *out = steal_ptr(&l);
    return rc;
}

static int cutlist_add_gone(struct cutlist *l, const char *path, bool folder)
{
    const char ***list = folder ? &l->removed_folders : &l->removed;
    size_t *n = folder ? &l->nremoved_folders : &l->nremoved;
    const char *own = array_grow(list, *n) ? arena_text(&l->names, path, strlen(path)) : NULL;
    if (own)
        (*list)[(*n)++] = own;
    return own ? 0 : -ENOMEM;
}

int cutlist_read_gone(struct cutlist *l, struct cutscan *f, struct err *e)
{
    int r = 0;
    for (int folder = 0; r == 0 && folder < 2; folder++) {
        const char *path;
        while ((r = cutscan_next_removed(f, folder, &path, e)) == 0 && path)
            if ((r = cutlist_add_gone(l, path, folder)) < 0)
                return err_sys(e, r, "the manifest of a cut");
    }
    return r;
}

int cutlist_read(int dirfd, const char *name, struct cutlist **out, struct err *e)
{
    char *text;
    size_t len;
    int r = io_read_file(dirfd, name, FILE_MAX, &text, &len);
    return r < 0 ? err_sys(e, r, "the manifest of cut %s", name)
                 : cutlist_parse(name, text, len, out, e);
}

int cutlist_sum_up(const char *name, char *text, size_t len, struct cut_summary *out, struct err *e)
{
    struct cut_reader r = {.name = name, .e = e};
    struct cut_summary sum = {.head.number = -1};
    int rc = cutlist_check_seal(&r, text, len);
    for (char *line; rc == 0 && (line = cut_text_line(&r));)
        rc = cut_summary_line(&r, line, &sum);
    if (rc == 0)
        *out = sum;
    return rc;
}
