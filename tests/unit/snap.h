/* SPDX-License-Identifier: MIT */
/* Snapshots and hostile tars made in memory, and folders compared, for the tests of restore. */
#ifndef INFLUXFS_TESTS_SNAP_H
#define INFLUXFS_TESTS_SNAP_H

#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/sha256.h"
#include "tests/unit/wipe.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static inline void buffer_text(struct buffer *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline void buffer_text(struct buffer *b, const char *fmt, ...)
{
    char line[8192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    buffer_add(b, line, (size_t)n);
}

struct snap_member {
    const char *name;
    mode_t type; /* AE_IF…; 0: file */
    const void *data;
    size_t size;
    const char *link; /* target; hard unless type is AE_IFLNK */
    bool unlisted;    /* not in the manifest */
    bool lost;        /* in the manifest, but not in the tar */
    size_t claimed;   /* if set: its size in the manifest */
};

struct snap_options {
    const char *kind; /* NULL: full */
    const char *id;   /* NULL: snap-1 */
    const char *chain, *parent;
    const char *number;          /* as in JSON; NULL: null */
    const char *removed;         /* the list's inside as JSON; NULL: empty */
    const char *removed_folders; /* likewise */
    const char *manifest;        /* instead of the right one */
    const char *sums;
    const struct snap_member *after; /* a member behind SHA256SUMS */
    const char *first;               /* name of the first member, if not "manifest" */
};

static inline la_ssize_t snap_sink(struct archive *a, void *arg, const void *p, size_t n)
{
    (void)a;
    buffer_add(arg, p, n);
    return (la_ssize_t)n;
}

static inline void snap_entry(struct archive *a, const struct snap_member *m)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, m->name);
    archive_entry_set_filetype(e, m->type ? m->type : AE_IFREG);
    archive_entry_set_perm(e, m->type == AE_IFDIR ? 0700 : 0644);
    archive_entry_set_size(e, m->link ? 0 : (la_int64_t)m->size);
    archive_entry_set_mtime(e, 1465646400, 0);
    archive_entry_set_uname(e, "influxdb");
    if (m->link && m->type == AE_IFLNK)
        archive_entry_set_symlink(e, m->link);
    else if (m->link)
        archive_entry_set_hardlink(e, m->link);
    if (archive_write_header(a, e) < ARCHIVE_WARN)
        fprintf(stderr, "snap: %s: %s\n", m->name, archive_error_string(a));
    if (m->size && !m->link)
        archive_write_data(a, m->data, m->size);
    archive_entry_free(e);
}

static inline void snap_sum(struct buffer *out, const char *name, const void *p, size_t n)
{
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    struct sha256 *s = sha256_new();
    sha256_add(s, p, n);
    sha256_end(s, sum);
    sha256_free(s);
    sha256_hex(sum, hex);
    bool odd = strpbrk(name, "\\\n") != NULL;
    buffer_text(out, "%s%s  ", odd ? "\\" : "", hex);
    for (const char *c = name; *c; c++)
        buffer_text(out, *c == '\\' ? "\\\\" : *c == '\n' ? "\\n" : "%c", *c);
    buffer_text(out, "\n");
}

static inline void snap_json_name(struct buffer *b, const char *name)
{
    for (const char *c = name; *c; c++)
        buffer_text(b,
                    *c == '"' || *c == '\\'  ? "\\%c"
                    : (unsigned char)*c < 32 ? "\\u%04x"
                                             : "%c",
                    (unsigned char)*c < 32 ? (int)*c : *c);
}

static inline void snap_manifest(struct buffer *b, const struct snap_member *m, size_t n,
                                 const struct snap_options *o)
{
    const char *q = o->parent ? "\"" : "";
    buffer_text(b, "{\"version\":1,\"id\":\"%s\",\"kind\":\"%s\",", o->id ? o->id : "snap-1",
                o->kind ? o->kind : "full");
    if (o->chain)
        buffer_text(b, "\"chain\":\"%s\",", o->chain);
    buffer_text(b,
                "\"parent\":%s%s%s,\"number\":%s,\"created\":\"2016-06-11T12:00:00Z\","
                "\"host\":\"db1\",\"index\":7,\"skew_ns\":0,\"files\":[",
                q, o->parent ? o->parent : "null", q, o->number ? o->number : "null");
    const char *comma = "";
    for (size_t i = 0; i < n; i++) {
        if (m[i].unlisted || (m[i].type && m[i].type != AE_IFREG))
            continue;
        buffer_text(b, "%s{\"name\":\"", comma);
        snap_json_name(b, m[i].name);
        buffer_text(b, "\",\"size\":%zu,\"index\":%zu,\"mtime_ns\":1465646400123456789}",
                    m[i].claimed ? m[i].claimed : m[i].size, i);
        comma = ",";
    }
    buffer_text(b, "],\"removed\":[%s],\"removed_folders\":[%s],\"left_out\":[]}\n",
                o->removed ? o->removed : "", o->removed_folders ? o->removed_folders : "");
}

/* The tar; buffer_free it. */
static inline struct buffer snap_build(const struct snap_member *m, size_t n,
                                       const struct snap_options *o)
{
    static const struct snap_options none;
    struct buffer out = {0}, json = {0}, sums = {0};
    o = o ? o : &none;
    if (o->manifest)
        buffer_add(&json, o->manifest, strlen(o->manifest));
    else
        snap_manifest(&json, m, n, o);
    struct archive *a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_set_bytes_per_block(a, 512);
    archive_write_set_bytes_in_last_block(a, 512);
    archive_write_open(a, &out, NULL, snap_sink, NULL);
    snap_entry(a, &(struct snap_member){o->first ? o->first : "manifest", 0, json.p, json.n, NULL,
                                        false, false, 0});
    snap_sum(&sums, "manifest", json.p, json.n);
    for (size_t i = 0; i < n; i++) {
        if (m[i].lost)
            continue;
        snap_entry(a, &m[i]);
        if (!m[i].type || m[i].type == AE_IFREG)
            snap_sum(&sums, m[i].name, m[i].data, m[i].size);
    }
    if (o->sums) {
        sums.n = 0;
        buffer_add(&sums, o->sums, strlen(o->sums));
    }
    snap_entry(a, &(struct snap_member){"SHA256SUMS", 0, sums.p, sums.n, NULL, false, false, 0});
    if (o->after)
        snap_entry(a, o->after);
    archive_write_close(a);
    archive_write_free(a);
    buffer_free(&json);
    buffer_free(&sums);
    return out;
}

/* The same bytes through one of libarchive's filters. */
static inline struct buffer snap_compress(const struct buffer *tar,
                                          int (*filter)(struct archive *a))
{
    struct buffer out = {0};
    struct archive *a = archive_write_new();
    archive_write_set_format_raw(a);
    filter(a);
    archive_write_set_bytes_per_block(a, 512);
    archive_write_set_bytes_in_last_block(a, 1);
    archive_write_open(a, &out, NULL, snap_sink, NULL);
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_filetype(e, AE_IFREG);
    archive_write_header(a, e);
    archive_entry_free(e);
    archive_write_data(a, tar->p, tar->n);
    archive_write_close(a);
    archive_write_free(a);
    return out;
}

/* A small store: meta.db, a shard with a TSM file and an empty index folder, a WAL segment. */
#define SNAP_MEMBERS(tsm, tsm_len, meta_text)                                                      \
    {                                                                                              \
        {"meta", AE_IFDIR, NULL, 0, NULL, false, false, 0},                                        \
            {"meta/meta.db", 0, meta_text, strlen(meta_text), NULL, false, false, 0},              \
            {"data", AE_IFDIR, NULL, 0, NULL, false, false, 0},                                    \
            {"data/my db", AE_IFDIR, NULL, 0, NULL, false, false, 0},                              \
            {"data/my db/rp", AE_IFDIR, NULL, 0, NULL, false, false, 0},                           \
            {"data/my db/rp/1", AE_IFDIR, NULL, 0, NULL, false, false, 0},                         \
            {"data/my db/rp/1/index", AE_IFDIR, NULL, 0, NULL, false, false, 0},                   \
            {"data/my db/rp/1/000000001-000000001.tsm", 0, tsm, tsm_len, NULL, false, false, 0},   \
            {"wal", AE_IFDIR, NULL, 0, NULL, false, false, 0},                                     \
            {"wal/my db/rp/1/_00001.wal", 0, "segment", 7, NULL, false, false, 0},                 \
    }
#define SNAP_COUNT 10

/* What lies below a folder, as text: a line an entry. Nothing for a folder that is not there. */
static inline void tree_add(struct buffer *out, int dirfd, const char *name, const char *path,
                            bool top)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISREG(st.st_mode)) {
        char *text = NULL;
        size_t n = 0;
        io_read_file(dirfd, name, 64 << 20, &text, &n);
        buffer_text(out, "%s %o ", path, st.st_mode & 07777);
        snap_sum(out, "", text, n);
        free(text);
        return;
    }
    if (!top)
        buffer_text(out, "%s/ %o\n", path, st.st_mode & 07777);
    autoclose int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup(dir_free) struct dir list = {0};
    if (fd < 0 || dir_read(fd, &list) < 0)
        return;
    for (size_t i = 0; i < list.n; i++) {
        char *below = NULL;
        if (top && strcmp(list.names[i], ".influxfs") == 0)
            continue;
        if (asprintf(&below, "%s/%s", path, list.names[i]) < 0)
            abort();
        tree_add(out, fd, list.names[i], below, false);
        free(below);
    }
}

/* Of a whole folder; free it. */
static inline char *tree_text(const char *path)
{
    struct buffer out = {0};
    tree_add(&out, AT_FDCWD, path, "", true);
    buffer_add(&out, "", 1);
    return out.p;
}

/* A file with this text in a folder, which is made. */
static inline void tree_put(const char *folder, const char *name, const char *text)
{
    char *path = NULL;
    if (io_mkdir_p(folder, 0755, (uid_t)-1, (gid_t)-1) < 0 ||
        asprintf(&path, "%s/%s", folder, name) < 0)
        abort();
    FILE *f = fopen(path, "we");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
    free(path);
}

/* A fresh folder below $TMPDIR or /tmp; tests remove it with tree_remove. */
static inline char *temp_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/influxfs-unit.XXXXXX", base ? base : "/tmp") < 0 || !mkdtemp(path))
        abort();
    return path;
}

static inline void tree_remove(char *path)
{
    wipe(path);
    free(path);
}

#endif
