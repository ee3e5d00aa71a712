/* SPDX-License-Identifier: MIT */
/* A set as the tar of a snapshot: manifest, meta.db, folders and files, SHA256SUMS. The archives are
 * read a second time for it, as they are given out. */
#include "store/base/array.h"
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/sets/set_impl.h"
#include "store/sets/set_tar.h"
#include "store/snapshot/tarhead.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MODE = 0644, FOLDER_MODE = 0755, ID_HEX = 32 };

struct set_out {
    char *manifest;
    size_t nmanifest;
    char **folders;
    size_t nfolders;
    uint64_t size;

    struct buffer head; /* what comes before the files, and between them */
    bool begun, ended;
    size_t next;          /* in s->files: to be opened next, */
    bool open;            /* or the one before is being read, */
    uint64_t at;          /* of which so many bytes were, if it is a tombstone */
    struct set_tar *tar;  /* where it is read, */
    size_t archive;       /* which is this one, */
    uint64_t member;      /* and how many members were read, */
    struct tar_member m;  /* the last one of them */
    char piece[64 << 10]; /* of a tombstone */
    struct sha256 *sum;
    uint8_t of_manifest[SHA256_BYTES], of_meta[SHA256_BYTES];
};

static struct file_attr attr_of(uint64_t size, int64_t mtime_ns, mode_t mode)
{
    return (struct file_attr){.size = size, .mtime_ns = mtime_ns, .mode = mode};
}

/* The manifest */

static int by_manifest_name(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->name, ((const struct manifest_file *)b)->name);
}

static int snapshot_list_files(struct set *s, struct manifest *m)
{
    m->files = calloc(s->nfiles + 1, sizeof(*m->files));
    if (!m->files)
        return -ENOMEM;
    m->files[m->nfiles++] = (struct manifest_file){
        .name = strdup(NAME_META_MEMBER), .size = s->nmeta, .mtime_ns = s->created_ns};
    for (size_t i = 0; i < s->nfiles; i++)
        m->files[m->nfiles++] = (struct manifest_file){.name = strdup(s->files[i].name),
                                                       .size = s->files[i].size,
                                                       .mtime_ns = s->files[i].mtime_ns};
    for (size_t i = 0; i < m->nfiles; i++) {
        if (!m->files[i].name)
            return -ENOMEM;
        m->bytes += m->files[i].size;
    }
    qsort(m->files, m->nfiles, sizeof(*m->files), by_manifest_name);
    return 0;
}

/* The same set has the same id again. */
static int snapshot_id(const struct set *s, char **out)
{
    cleanup(sha256_freep) struct sha256 *sum = sha256_new();
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    if (!sum)
        return -ENOMEM;
    sha256_add(sum, s->meta, s->nmeta);
    for (size_t i = 0; i < s->nfiles; i++) {
        const struct set_file *f = &s->files[i];
        sha256_add(sum, f->name, strlen(f->name) + 1);
        sha256_add(sum, &f->size, sizeof(f->size));
        sha256_add(sum, &f->crc, sizeof(f->crc));
    }
    sha256_end(sum, digest);
    sha256_hex(digest, hex);
    *out = strndup(hex, ID_HEX);
    return *out ? 0 : -ENOMEM;
}

static int snapshot_make_manifest(struct set *s)
{
    char created[TIME_TEXT];
    struct manifest *m = s->manifest = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    time_exact_text(s->created_ns, created);
    *m = (struct manifest){.kind = s->part ? MANIFEST_DATABASE : MANIFEST_FULL,
                           .number = -1,
                           .host = strdup("influxd backup"),
                           .created = strdup(created)};
    static const struct selection whole = SELECTION_ALL; /* of the databases that it holds */
    int r = m->host && m->created ? snapshot_id(s, &m->id) : -ENOMEM;
    if (r == 0 && s->part)
        r = selection_copy(&whole, &m->selection);
    if (r == 0)
        r = snapshot_list_files(s, m);
    if (r == 0)
        r = omissions_copy(&s->left_out, &m->left_out);
    return r == 0 ? manifest_write(m, &s->out->manifest, &s->out->nmanifest) : r;
}

/* Folders: of each shard, which may have no file, and those above it */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int snapshot_add_folder(struct set_out *o, const char *path)
{
    if (!array_grow(&o->folders, o->nfolders))
        return -ENOMEM;
    o->folders[o->nfolders] = strdup(path);
    return o->folders[o->nfolders++] ? 0 : -ENOMEM;
}

static void snapshot_drop_twins(struct set_out *o)
{
    size_t kept = 0;
    qsort(o->folders, o->nfolders, sizeof(*o->folders), by_text);
    for (size_t i = 0; i < o->nfolders; i++) {
        if (kept && strcmp(o->folders[kept - 1], o->folders[i]) == 0)
            free(o->folders[i]);
        else
            o->folders[kept++] = o->folders[i];
    }
    o->nfolders = kept;
}

static int snapshot_list_folders(struct set *s)
{
    static const char *const roots[] = {"meta", "data", "wal"};
    struct set_out *o = s->out;
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(roots) / sizeof(*roots); i++)
        r = snapshot_add_folder(o, roots[i]);
    for (size_t i = 0; r == 0 && i < s->narchives; i = set_shard_end(s, i)) {
        const struct set_archive *a = &s->archives[i];
        char path[PATH_MAX];
        if (a->fate != SET_TAKEN)
            continue;
        snprintf(path, sizeof(path), "data/%s/%s/%" PRIu64, a->db, a->rp, a->as);
        r = snapshot_add_folder(o, path);
        for (int up = 0; r == 0 && up < 2; up++) {
            *strrchr(path, '/') = 0;
            r = snapshot_add_folder(o, path);
        }
    }
    if (r == 0)
        snapshot_drop_twins(o);
    return r;
}

/* The size */

static int snapshot_measure(uint64_t *size, const char *path, uint64_t bytes, int64_t mtime_ns,
                            mode_t mode)
{
    const struct file_attr attr = attr_of(bytes, mtime_ns, mode);
    int n = tarhead_len(path, &attr);
    if (n > 0)
        *size += (uint64_t)n + tar_round_up(bytes);
    return n < 0 ? n : 0;
}

/* A line: sum, two spaces, name, newline. No name needs an escape: see manifest_name_ok; a backslash
 * may not stand in the name of a database or a policy (influxd services/meta/data.go ValidName). */
static uint64_t sums_size(const struct set *s)
{
    static const uint64_t fixed = SHA256_HEX + 3;
    uint64_t n = fixed + strlen("manifest") + fixed + strlen(NAME_META_MEMBER);
    for (size_t i = 0; i < s->nfiles; i++)
        n += fixed + strlen(s->files[i].name);
    return n;
}

static int snapshot_find_size(struct set *s)
{
    struct set_out *o = s->out;
    const int64_t at = s->created_ns;
    uint64_t size = TAR_END;
    int r = snapshot_measure(&size, "manifest", o->nmanifest, at, S_IFREG | FILE_MODE);
    if (r == 0)
        r = snapshot_measure(&size, NAME_META_MEMBER, s->nmeta, at, S_IFREG | FILE_MODE);
    for (size_t i = 0; r == 0 && i < o->nfolders; i++)
        r = snapshot_measure(&size, o->folders[i], 0, at, S_IFDIR | FOLDER_MODE);
    for (size_t i = 0; r == 0 && i < s->nfiles; i++)
        r = snapshot_measure(&size, s->files[i].name, s->files[i].size, s->files[i].mtime_ns,
                             S_IFREG | FILE_MODE);
    if (r == 0)
        r = snapshot_measure(&size, "SHA256SUMS", sums_size(s), at, S_IFREG | FILE_MODE);
    o->size = size;
    return r;
}

int set_snapshot(struct set *s, struct err *e)
{
    s->out = calloc(1, sizeof(*s->out));
    if (!s->out)
        return err_sys(e, -ENOMEM, "%s", s->title);
    s->out->sum = sha256_new();
    int r = s->out->sum ? snapshot_make_manifest(s) : -ENOMEM;
    if (r == 0)
        r = snapshot_list_folders(s);
    if (r == 0)
        r = snapshot_find_size(s);
    return r < 0 ? err_sys(e, r, "%s", s->title) : 0;
}

void set_snapshot_free(struct set *s)
{
    struct set_out *o = s->out;
    if (!o)
        return;
    for (size_t i = 0; i < o->nfolders; i++)
        free(o->folders[i]);
    free(o->folders);
    free(o->manifest);
    buffer_free(&o->head);
    set_tar_free(o->tar);
    sha256_free(o->sum);
    free(o);
}

uint64_t set_size(const struct set *s)
{
    return s->out->size;
}

/* The bytes */

static void snapshot_pad(struct set_out *o, uint64_t size)
{
    static const char zeros[TAR_BLOCK];
    buffer_add(&o->head, zeros, (size_t)(tar_round_up(size) - size));
}

static int snapshot_put_header(struct set_out *o, const char *path, uint64_t size, int64_t mtime_ns,
                               mode_t mode)
{
    const struct file_attr attr = attr_of(size, mtime_ns, mode);
    autofree char *head = malloc(TARHEAD_MAX);
    int n = head ? tarhead_write(path, &attr, head) : -ENOMEM;
    if (n > 0)
        buffer_add(&o->head, head, (size_t)n);
    return n < 0 ? n : 0;
}

/* A whole file, from memory. */
static int snapshot_put_file(struct set *s, const char *path, const void *buf, size_t n,
                             uint8_t sum[SHA256_BYTES])
{
    struct set_out *o = s->out;
    int r = snapshot_put_header(o, path, n, s->created_ns, S_IFREG | FILE_MODE);
    buffer_add(&o->head, buf, n);
    snapshot_pad(o, n);
    sha256_reset(o->sum);
    sha256_add(o->sum, buf, n);
    sha256_end(o->sum, sum);
    return r;
}

static int snapshot_put_start(struct set *s)
{
    struct set_out *o = s->out;
    int r = snapshot_put_file(s, "manifest", o->manifest, o->nmanifest, o->of_manifest);
    for (size_t i = 0; r == 0 && i < o->nfolders; i++)
        r = snapshot_put_header(o, o->folders[i], 0, s->created_ns, S_IFDIR | FOLDER_MODE);
    return r == 0 ? snapshot_put_file(s, NAME_META_MEMBER, s->meta, s->nmeta, o->of_meta) : r;
}

static void snapshot_put_sum(struct buffer *out, const uint8_t sum[SHA256_BYTES], const char *name)
{
    char hex[SHA256_HEX + 1];
    sha256_hex(sum, hex);
    buffer_string(out, hex);
    buffer_string(out, "  ");
    buffer_string(out, name);
    buffer_add(out, "\n", 1);
}

static int snapshot_put_end(struct set *s)
{
    static const char zeros[TAR_END];
    struct set_out *o = s->out;
    cleanup(buffer_free) struct buffer sums = {0};
    uint8_t of_sums[SHA256_BYTES];
    snapshot_put_sum(&sums, o->of_manifest, "manifest");
    snapshot_put_sum(&sums, o->of_meta, NAME_META_MEMBER);
    for (size_t i = 0; i < s->nfiles; i++)
        snapshot_put_sum(&sums, s->files[i].sum, s->files[i].name);
    int r = sums.failed ? -ENOMEM : snapshot_put_file(s, "SHA256SUMS", sums.p, sums.n, of_sums);
    buffer_add(&o->head, zeros, sizeof(zeros));
    return r;
}

static bool is_tombstone(const struct set_file *f)
{
    return name_is_tombstone(path_last(f->name));
}

static int snapshot_changed(const struct set *s, const struct set_file *f, struct err *e)
{
    return err_set(e, -EBADMSG, "%s has changed while it was read", s->archives[f->archive].name);
}

/* Goes to the file's member: on in its archive. */
static int snapshot_seek(struct set *s, const struct set_file *f, struct err *e)
{
    struct set_out *o = s->out;
    int r = 0;
    if (!o->tar || o->archive != f->archive) {
        set_tar_free(steal_ptr(&o->tar));
        o->member = 0;
        o->archive = f->archive;
        r = set_tar_open(s->folder, s->archives[f->archive].name, &s->o, &o->tar, e);
    }
    for (; r == 0 && o->member <= f->member; o->member++) {
        r = set_tar_next(o->tar, &o->m, e);
        if (r == 0)
            return snapshot_changed(s, f, e);
        r = r < 0 ? r : 0;
    }
    /* The name is another where files were numbered anew. */
    return r < 0 || o->m.size == f->size ? r : snapshot_changed(s, f, e);
}

/* Begins the next file. */
static int snapshot_open_next(struct set *s, struct err *e)
{
    struct set_out *o = s->out;
    const struct set_file *f = &s->files[o->next];
    int r = is_tombstone(f) ? 0 : snapshot_seek(s, f, e);
    if (r < 0)
        return r;
    o->at = 0;
    r = snapshot_put_header(o, f->name, f->size, f->mtime_ns, S_IFREG | FILE_MODE);
    sha256_reset(o->sum);
    o->open = true;
    o->next++;
    return r < 0 ? err_sys(e, r, "%s", f->name) : 0;
}

/* More bytes of a tombstone. */
static ssize_t snapshot_read_stone(struct set *s, const struct set_file *f, const void **block,
                                   struct err *e)
{
    struct set_out *o = s->out;
    const uint64_t left = f->size - o->at;
    const size_t n = left < sizeof(o->piece) ? (size_t)left : sizeof(o->piece);
    int r = io_pread_all(s->stones, o->piece, n, f->at + o->at);
    o->at += n;
    *block = o->piece;
    return r < 0 ? err_sys(e, r, "a temporary file in %s (TMPDIR)", io_temporary_folder())
                 : (ssize_t)n;
}

/* More bytes of the open file: their number; or closes it. */
static ssize_t snapshot_read_file(struct set *s, const void **block, struct err *e)
{
    struct set_out *o = s->out;
    struct set_file *f = &s->files[o->next - 1];
    ssize_t n =
        is_tombstone(f) ? snapshot_read_stone(s, f, block, e) : set_tar_data(o->tar, block, e);
    if (n > 0)
        sha256_add(o->sum, *block, (size_t)n);
    if (n != 0)
        return n;
    sha256_end(o->sum, f->sum);
    snapshot_pad(o, f->size);
    o->open = false;
    return 0;
}

/* Puts more into the head, or gives bytes of the open file. */
static ssize_t snapshot_go_on(struct set *s, const void **block, struct err *e)
{
    struct set_out *o = s->out;
    int r = 0;
    if (o->open)
        return snapshot_read_file(s, block, e);
    if (!o->begun)
        r = snapshot_put_start(s);
    else if (o->next < s->nfiles)
        return snapshot_open_next(s, e);
    else
        r = snapshot_put_end(s);
    o->ended = o->begun && o->next == s->nfiles;
    o->begun = true;
    return r < 0 ? err_sys(e, r, "%s", s->title) : 0;
}

ssize_t set_next(struct set *s, const void **block, struct err *e)
{
    struct set_out *o = s->out;
    buffer_free(&o->head);
    while (!o->ended || o->head.n) {
        if (o->head.failed)
            return err_sys(e, -ENOMEM, "%s", s->title);
        if (o->head.n) {
            *block = o->head.p;
            return (ssize_t)o->head.n;
        }
        ssize_t n = snapshot_go_on(s, block, e);
        if (n != 0)
            return n;
    }
    return 0;
}

void set_rewind(struct set *s)
{
    struct set_out *o = s->out;
    buffer_free(&o->head);
    set_tar_free(steal_ptr(&o->tar));
    o->begun = o->ended = o->open = false;
    o->next = 0;
    o->member = 0;
}
