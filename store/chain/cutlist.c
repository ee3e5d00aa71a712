/* SPDX-License-Identifier: MIT */
#include "store/chain/cutlist.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/snapshot/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 30)
#define MAGIC "influxfs-cut 2\n"
#define MAGIC_1 "influxfs-cut 1\n" /* as long */
#define SEAL_BYTES (sizeof("end \n") - 1 + SHA256_HEX)

static int root_rank(const char *path)
{
    return *path == 'm' ? 0 : *path == 'd' ? 1 : 2;
}

/* A slash sorts before any other byte, so that what is in a folder comes right after it. */
static int weight(char c)
{
    return c == '/' ? 1 : c ? (unsigned char)c + 1 : 0;
}

int cut_path_cmp(const char *a, const char *b)
{
    int d = root_rank(a) - root_rank(b);
    if (d)
        return d;
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return weight(*a) - weight(*b);
}

void cutlist_free(struct cutlist *l)
{
    if (!l)
        return;
    free(l->entries);
    free(l->removed);
    free(l->removed_folders);
    free(l->links);
    omissions_clear(&l->left_out);
    free(l->text);
    free(l);
}

static void cutlist_put_entry(FILE *f, const struct cut_entry *e)
{
    const struct file_attr *a = &e->attr;
    char hex[SHA256_HEX + 1] = "-";
    bool folder = cut_is_folder(e);
    fprintf(f, "%c %o %u %u %" PRId64 " ", folder ? 'd' : 'f', a->mode & 07777, a->uid, a->gid,
            a->mtime_ns);
    if (!folder) {
        if (e->have_sum)
            sha256_hex(e->sum, hex);
        fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "/%" PRIu32 " %s ", a->size,
                e->index, e->ino, e->place.serial, e->place.seq, hex);
    }
    cut_text_put(f, e->path);
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

static void put_lines(FILE *f, const struct cutlist *l)
{
    fputs(MAGIC, f);
    cut_head_put(f, &l->head);
    for (size_t i = 0; i < l->n; i++)
        cutlist_put_entry(f, &l->entries[i]);
    put_names(f, 'r', l->removed, l->nremoved);
    put_names(f, 'R', l->removed_folders, l->nremoved_folders);
    put_names(f, 'L', l->links, l->nlinks);
    put_left_out(f, &l->left_out);
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
    autofree char *text = NULL;
    size_t len = 0;
    int r = cutlist_render(l, &text, &len);
    if (r == 0)
        r = io_replace_file(dirfd, name, text, len, 0600);
    return r < 0 ? err_sys(e, r, "manifest of cut %s", name) : 0;
}

static bool cutlist_read_sum(const char *text, struct cut_entry *out)
{
    if (strcmp(text, "-") == 0)
        return true;
    if (strlen(text) != SHA256_HEX)
        return false;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        int hi = cut_text_hex(text[2 * i]), lo = cut_text_hex(text[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out->sum[i] = (uint8_t)(hi << 4 | lo);
    }
    out->have_sum = true;
    return true;
}

static bool cutlist_read_place(char *text, struct cut_place *out)
{
    uint64_t seq;
    char *slash = strchr(text, '/');
    if (!slash)
        return false;
    *slash = 0;
    if (!cut_parse_uint(text, 10, INT64_MAX, &out->serial) ||
        !cut_parse_uint(slash + 1, 10, UINT32_MAX, &seq))
        return false;
    out->seq = (uint32_t)seq;
    return true;
}

static int cutlist_read_entry(const struct cut_reader *r, bool folder, char *p,
                              struct cut_entry *out)
{
    uint64_t mode, uid, gid;
    *out = (struct cut_entry){0};
    if (!cut_parse_uint(cut_text_word(&p), 8, 07777, &mode) ||
        !cut_parse_uint(cut_text_word(&p), 10, UINT32_MAX, &uid) ||
        !cut_parse_uint(cut_text_word(&p), 10, UINT32_MAX, &gid) ||
        !cut_parse_int(cut_text_word(&p), &out->attr.mtime_ns))
        return cut_text_bad(r, "the attributes of a file or folder");
    out->attr.mode = (mode_t)mode | (folder ? S_IFDIR : S_IFREG);
    out->attr.uid = (uid_t)uid;
    out->attr.gid = (gid_t)gid;
    if (!folder && (!cut_parse_uint(cut_text_word(&p), 10, MANIFEST_FILE_MAX, &out->attr.size) ||
                    !cut_parse_uint(cut_text_word(&p), 10, UINT64_MAX, &out->index) ||
                    !cut_parse_uint(cut_text_word(&p), 10, UINT64_MAX, &out->ino) ||
                    !cutlist_read_place(cut_text_word(&p), &out->place) ||
                    !cutlist_read_sum(cut_text_word(&p), out)))
        return cut_text_bad(r, "what it says of a file");
    if (!cut_text_decode(p) || !manifest_name_ok(p, folder))
        return cut_text_bad(r, "a name that may not stand there");
    out->path = p;
    return 0;
}

/* The letter that starts the line of a file, folder or name; 0: a line of the head. */
static char kind_of(const char *line)
{
    return *line && line[1] == ' ' ? *line : 0;
}

static size_t count_lines(const char *at, const char *end, char kind)
{
    size_t n = 0;
    for (const char *p = at; p && p + 1 < end;) {
        n += kind_of(p) == kind;
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
    char *p = line, kind = kind_of(line);
    const char *key = cut_text_word(&p);
    int rc;
    switch (kind) {
    case 'f':
    case 'd':
        rc = cutlist_read_entry(r, kind == 'd', p, &l->entries[l->n]);
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
    char hex[SHA256_HEX + 1];
    if (len < sizeof(MAGIC) - 1 + SEAL_BYTES || memcmp(text, "influxfs-cut ", 13) != 0)
        return err_set(r->e, -EBADMSG,
                       "the manifest of cut %s is damaged: it is cut off or no "
                       "manifest of a cut",
                       r->name);
    if (memcmp(text, MAGIC, sizeof(MAGIC) - 1) != 0 &&
        memcmp(text, MAGIC_1, sizeof(MAGIC_1) - 1) != 0)
        return err_set(r->e, -EINVAL,
                       "the manifest of cut %s is of a later version, or damaged; use a newer "
                       "influxfs",
                       r->name);
    char *last = text + len - SEAL_BYTES;
    int rc = sha256_of(text, len - SEAL_BYTES, hex);
    if (rc < 0)
        return err_sys(r->e, rc, "manifest of cut %s", r->name);
    if (memcmp(last, "end ", 4) != 0 || memcmp(last + 4, hex, SHA256_HEX) != 0 ||
        text[len - 1] != '\n')
        return err_set(r->e, -EBADMSG,
                       "the manifest of cut %s is damaged: its checksum is not that of its lines",
                       r->name);
    r->at = text + sizeof(MAGIC) - 1;
    r->end = last;
    r->line = 1;
    return 0;
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

int cutlist_read(int dirfd, const char *name, struct cutlist **out, struct err *e)
{
    char *text;
    size_t len;
    int r = io_read_file(dirfd, name, FILE_MAX, &text, &len);
    return r < 0 ? err_sys(e, r, "the manifest of cut %s", name)
                 : cutlist_parse(name, text, len, out, e);
}

/* The size in a file's line, after its mode, owner, group and time. */
static uint64_t size_in(const char *line)
{
    for (int words = 0; words < 5 && line; words++) {
        line = strchr(line, ' ');
        line = line ? line + 1 : NULL;
    }
    return line ? strtoull(line, NULL, 10) : 0;
}

/* Whether the line of something left out names what a user could miss. */
static bool counts(const char *line)
{
    enum omission_why why;
    char word[16];
    return sscanf(line, "o %*s %*s %15s", word) != 1 || !omission_why_find(word, &why) ||
           why != OMITTED_FOREIGN;
}

static int cutlist_sum_lines(struct cut_reader *r, struct cut_summary *sum)
{
    int rc = 0;
    for (char *line; rc == 0 && (line = cut_text_line(r));) {
        char kind = kind_of(line);
        if (kind == 'f') {
            sum->files++;
            sum->bytes += size_in(line);
        } else if (kind == 'o' || kind == 'l') {
            sum->left_out += counts(line);
        } else if (!kind) {
            char *p = line;
            const char *key = cut_text_word(&p);
            rc = cut_head_read(r, key, p, &sum->head);
        }
    }
    return rc;
}

int cutlist_sum_up(const char *name, char *text, size_t len, struct cut_summary *out, struct err *e)
{
    struct cut_reader r = {.name = name, .e = e};
    struct cut_summary sum = {.head.number = -1};
    int rc = cutlist_check_seal(&r, text, len);
    if (rc == 0)
        rc = cutlist_sum_lines(&r, &sum);
    if (rc == 0)
        *out = sum;
    return rc;
}

int cutlist_summary(int dirfd, const char *name, struct cut_summary *out, struct err *e)
{
    autofree char *text = NULL;
    size_t len;
    int r = io_read_file(dirfd, name, FILE_MAX, &text, &len);
    return r < 0 ? err_sys(e, r, "the manifest of cut %s", name)
                 : cutlist_sum_up(name, text, len, out, e);
}
