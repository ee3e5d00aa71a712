/* SPDX-License-Identifier: MIT */
/* Small stores on disk, as influxd would leave them, for the tests of snapshots. */
#ifndef INFLUXFS_TESTS_STORE_BUILDER_H
#define INFLUXFS_TESTS_STORE_BUILDER_H

#include "store/influx/paths.h"
#include "tests/unit/snap.h"
#include "tests/unit/wipe.h"

#include <snappy-c.h>
#include <stdint.h>
#include <unistd.h>

/* Protobuf, by hand: a field with a number, and one with bytes. */
static inline void pb_varint(struct buffer *b, uint64_t v)
{
    do {
        uint8_t byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        buffer_add(b, &byte, 1);
        v >>= 7;
    } while (v);
}

static inline void pb_number(struct buffer *b, uint64_t field, uint64_t v)
{
    pb_varint(b, field << 3);
    pb_varint(b, v);
}

static inline void pb_bytes(struct buffer *b, uint64_t field, const void *p, size_t n)
{
    pb_varint(b, field << 3 | 2);
    pb_varint(b, n);
    buffer_add(b, p, n);
}

/* Takes over inner. */
static inline void pb_inner(struct buffer *b, uint64_t field, struct buffer *inner)
{
    pb_bytes(b, field, inner->p, inner->n);
    buffer_free(inner);
}

/* A shard as meta.db knows it, in a group of its own. */
struct meta_entry {
    const char *db, *rp;
    uint64_t id;
    bool deleted;
};

static inline struct buffer meta_group(const struct meta_entry *m)
{
    struct buffer g = {0}, shard = {0};
    pb_number(&g, 1, m->id);
    pb_number(&g, 2, 0);
    pb_number(&g, 3, 3600);
    pb_number(&g, 4, m->deleted ? 1465646400 : 0);
    pb_number(&shard, 1, m->id);
    pb_inner(&g, 5, &shard);
    return g;
}

/* The bytes of a meta.db that lists these shards. Entries of one policy, and of one database, must
 * stand together. An id of 0: the policy alone. */
static inline struct buffer meta_build(const struct meta_entry *m, size_t n, uint64_t index)
{
    struct buffer out = {0};
    pb_number(&out, 1, 1);
    pb_number(&out, 2, index);
    pb_number(&out, 3, 42);
    for (size_t i = 0; i < n;) {
        struct buffer db = {0};
        const char *name = m[i].db;
        pb_bytes(&db, 1, name, strlen(name));
        pb_bytes(&db, 2, m[i].rp, strlen(m[i].rp));
        while (i < n && strcmp(m[i].db, name) == 0) {
            struct buffer rp = {0};
            const char *policy = m[i].rp;
            pb_bytes(&rp, 1, policy, strlen(policy));
            pb_number(&rp, 2, 0);
            pb_number(&rp, 3, 3600);
            pb_number(&rp, 4, 1);
            for (; i < n && strcmp(m[i].db, name) == 0 && strcmp(m[i].rp, policy) == 0; i++) {
                struct buffer group = meta_group(&m[i]);
                if (m[i].id)
                    pb_inner(&rp, 5, &group);
                else
                    buffer_free(&group);
            }
            pb_inner(&db, 3, &rp);
        }
        pb_inner(&out, 5, &db);
    }
    pb_number(&out, 7, 0);
    pb_number(&out, 8, 99);
    pb_number(&out, 9, 99);
    return out;
}

/* One complete WAL entry: count floats of one key. */
static inline void wal_entry(struct buffer *out, const char *key, uint32_t count)
{
    struct buffer plain = {0};
    uint8_t head[3] = {1, (uint8_t)(strlen(key) >> 8), (uint8_t)strlen(key)};
    uint8_t be[4] = {(uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8),
                     (uint8_t)count};
    buffer_add(&plain, head, 3);
    buffer_add(&plain, key, strlen(key));
    buffer_add(&plain, be, 4);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t point[2] = {i, i * 77777777777u};
        buffer_add(&plain, point, sizeof(point));
    }
    size_t n = snappy_max_compressed_length(plain.n);
    char *packed = malloc(n);
    if (!packed || snappy_compress(plain.p, plain.n, packed, &n) != SNAPPY_OK)
        abort();
    uint8_t entry[5] = {1, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    buffer_add(out, entry, 5);
    buffer_add(out, packed, n);
    free(packed);
    buffer_free(&plain);
}

/* A store below a temporary folder of its own. */
struct store {
    char *top;
    struct store_paths paths;
};

static inline char *store_path(const struct store *s, const char *rel)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", s->top, rel) < 0)
        abort();
    return path;
}

/* Makes a folder and those above it. */
static inline void store_mkdir(const struct store *s, const char *rel)
{
    autofree char *path = store_path(s, rel);
    if (io_mkdir_p(path, 0700, (uid_t)-1, (gid_t)-1) < 0)
        abort();
}

/* Puts a file there as influxd does, by rename, with the folders above it. */
static inline void store_put(const struct store *s, const char *rel, const void *p, size_t n)
{
    const char *name = strrchr(rel, '/') + 1;
    autofree char *folder = NULL;
    if (asprintf(&folder, "%s/%.*s", s->top, (int)(name - rel - 1), rel) < 0 ||
        io_mkdir_p(folder, 0700, (uid_t)-1, (gid_t)-1) < 0)
        abort();
    autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autoclose int fd = openat(dir, "new.put", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (dir < 0 || fd < 0 || io_write_all(fd, p, n) < 0 || renameat(dir, "new.put", dir, name) < 0)
        abort();
}

static inline void store_text(const struct store *s, const char *rel, const char *text)
{
    store_put(s, rel, text, strlen(text));
}

static inline void store_append(const struct store *s, const char *rel, const void *p, size_t n)
{
    autofree char *path = store_path(s, rel);
    autoclose int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || io_write_all(fd, p, n) < 0)
        abort();
}

static inline void store_remove(const struct store *s, const char *rel)
{
    autofree char *path = store_path(s, rel);
    if (wipe(path) < 0)
        abort();
}

static inline void store_meta(const struct store *s, const struct meta_entry *m, size_t n)
{
    static uint64_t index;
    struct buffer b = meta_build(m, n, ++index);
    store_put(s, "meta/meta.db", b.p, b.n);
    buffer_free(&b);
}

/* Moves the times of a file or folder into the past, so that nothing counts as just changed. */
static inline void store_age(const struct store *s, const char *rel, time_t seconds)
{
    autofree char *path = store_path(s, rel);
    struct timespec t[2] = {{time(NULL) - seconds, 123456789}, {time(NULL) - seconds, 123456789}};
    if (utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW) < 0)
        abort();
}

/* An empty folder with the three paths in it; none of them exists yet. */
static inline struct store store_new(void)
{
    struct store s = {.top = temp_folder()};
    s.paths.meta = store_path(&s, "meta");
    s.paths.data = store_path(&s, "data");
    s.paths.wal = store_path(&s, "wal");
    return s;
}

static inline void store_free(struct store *s)
{
    free(s->paths.meta);
    free(s->paths.data);
    free(s->paths.wal);
    tree_remove(s->top);
}

#endif
