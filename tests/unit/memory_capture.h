/* SPDX-License-Identifier: MIT */
/* Captures whose files lie in memory, and files of points written as text, for the tests of what
 * decodes and merges them. */
#ifndef INFLUXFS_TESTS_MEMORY_CAPTURE_H
#define INFLUXFS_TESTS_MEMORY_CAPTURE_H

#include "store/snapshot/capture_impl.h"
#include "tests/unit/store_builder.h"
#include "tests/unit/tsm_builder.h"

#define MEMORY_FILES 32

struct memory {
    struct capture c;
    struct member members[MEMORY_FILES];
    struct buffer bytes[MEMORY_FILES];
    uint64_t read[MEMORY_FILES]; /* bytes */
    struct omissions left_out;
};

static inline int memory_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                              struct err *e)
{
    struct memory *m = (struct memory *)c;
    m->read[i] += n;
    return read_buffer(&m->bytes[i], buf, n, off, e);
}

static inline void memory_free(struct capture *c)
{
    for (size_t i = 0; i < c->n; i++)
        buffer_free(&((struct memory *)c)->bytes[i]);
    free(c);
}

/* With one reference, which the caller drops. */
static inline struct memory *memory_new(void)
{
    static const struct capture_ops ops = {.free = memory_free, .read = memory_read};
    struct memory *m = calloc(1, sizeof(*m));
    if (!m)
        abort();
    m->c.ops = &ops;
    m->c.members = m->members;
    m->c.left_out = &m->left_out;
    atomic_init(&m->c.refs, 1);
    return m;
}

/* Takes over the bytes. dir and name must last. A folder has no bytes. */
static inline void memory_add(struct memory *m, const char *dir, const char *name,
                              struct buffer bytes)
{
    size_t i = m->c.n++;
    m->members[i] = (struct member){.dir = dir, .name = name, .index = 1};
    m->members[i].attr.mode = bytes.p ? S_IFREG : S_IFDIR;
    m->members[i].attr.size = bytes.n;
    m->bytes[i] = bytes;
}

/* A shard of the policy rp of the database db: which times it holds, in nanoseconds. */
struct shard_times {
    uint64_t id;
    int64_t start, end;
};

/* A meta.db that lists these. */
static inline void memory_meta(struct memory *m, const struct shard_times *shards, size_t n)
{
    struct buffer out = {0}, db = {0}, rp = {0};
    static const uint64_t required[] = {1, 2, 3, 7, 8, 9};
    for (size_t i = 0; i < 6; i++)
        pb_number(&out, required[i], 1);
    pb_bytes(&db, 1, "db", 2);
    pb_bytes(&db, 2, "rp", 2);
    pb_bytes(&rp, 1, "rp", 2);
    pb_number(&rp, 2, 0);
    pb_number(&rp, 3, 1000);
    pb_number(&rp, 4, 1);
    for (size_t i = 0; i < n; i++) {
        struct buffer group = {0}, shard = {0};
        pb_number(&group, 1, shards[i].id);
        pb_number(&group, 2, (uint64_t)shards[i].start);
        pb_number(&group, 3, (uint64_t)shards[i].end);
        pb_number(&group, 4, 0);
        pb_number(&shard, 1, shards[i].id);
        pb_inner(&group, 5, &shard);
        pb_inner(&rp, 5, &group);
    }
    pb_inner(&db, 3, &rp);
    pb_inner(&out, 5, &db);
    memory_add(m, "meta", "meta.db", out);
}

/* The points of a field of a series: "TIME=VALUE TIME=VALUE…", times ascending, no spaces in
 * strings. */
struct field_text {
    const char *key;
    enum value_type type;
    const char *points;
};

struct field_points {
    size_t n;
    int64_t times[64];
    const char *values[64]; /* up to a space or the end */
};

static inline struct field_points field_parse(const char *text)
{
    struct field_points p = {0};
    for (char *end; *text; text = *end ? end + 1 : end) {
        p.times[p.n] = strtoll(text, &end, 10);
        p.values[p.n++] = end + 1;
        end += strcspn(end, " ");
    }
    return p;
}

static inline uint64_t field_bits(enum value_type type, const char *value)
{
    uint64_t bits;
    double f = strtod(value, NULL);
    if (type == VALUE_FLOAT)
        return memcpy(&bits, &f, sizeof(bits)), bits;
    if (type == VALUE_BOOLEAN)
        return *value == 't';
    return type == VALUE_UNSIGNED ? strtoull(value, NULL, 10) : (uint64_t)strtoll(value, NULL, 10);
}

static inline void add_strings(struct buffer *out, const struct field_points *p)
{
    struct buffer plain = {0};
    for (size_t i = 0; i < p->n; i++) {
        size_t n = strcspn(p->values[i], " ");
        add_uvarint(&plain, n);
        buffer_add(&plain, p->values[i], n);
    }
    buffer_add(out, "\x10", 1);
    add_packed(out, &plain);
    buffer_free(&plain);
}

static inline struct buffer field_block(enum value_type type, const struct field_points *p)
{
    struct buffer times = {0}, values = {0};
    uint64_t bits[64] = {0}, before = 0;
    double floats[64];
    size_t at = 0;
    buffer_add(&times, "", 1);
    for (size_t i = 0; i < p->n; i++) {
        add_be(&times, (uint64_t)(p->times[i] - (i ? p->times[i - 1] : 0)), 8);
        bits[i] = type == VALUE_STRING ? 0 : field_bits(type, p->values[i]);
        memcpy(&floats[i], &bits[i], sizeof(bits[i]));
    }
    if (type == VALUE_STRING) {
        add_strings(&values, p);
    } else if (type == VALUE_FLOAT) {
        add_floats(&values, floats, p->n);
    } else if (type == VALUE_BOOLEAN) {
        buffer_add(&values, "\x10", 1);
        add_uvarint(&values, p->n);
        for (size_t i = 0; i < p->n; i++)
            add_bits(&values, &at, bits[i], 1);
    } else {
        buffer_add(&values, "", 1);
        for (size_t i = 0; i < p->n; before = bits[i++])
            add_be(&values, zigzag((int64_t)(bits[i] - before)), 8);
    }
    return block(type, &times, &values);
}

/* A TSM file, each key's points one block; keys ascend. */
static inline struct buffer tsm_of(const struct field_text *fields, size_t n)
{
    struct buffer f = {0}, index = {0};
    buffer_add(&f, "\x16\xd1\x16\xd1\x01", 5);
    for (size_t i = 0; i < n; i++) {
        struct field_points p = field_parse(fields[i].points);
        struct buffer b = field_block(fields[i].type, &p);
        add_be(&index, strlen(fields[i].key), 2);
        buffer_add(&index, fields[i].key, strlen(fields[i].key));
        add_be(&index, fields[i].type, 1);
        add_be(&index, 1, 2);
        add_be(&index, (uint64_t)p.times[0], 8);
        add_be(&index, (uint64_t)p.times[p.n - 1], 8);
        tsm_add_block(&f, &index, &b);
    }
    tsm_end(&f, &index);
    return f;
}

/* The same of fields that are written down in place. */
#define FIELDS(...)                                                                                \
    (const struct field_text[])                                                                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define TSM(...)                                                                                   \
    tsm_of(FIELDS(__VA_ARGS__), sizeof(FIELDS(__VA_ARGS__)) / sizeof(struct field_text))

/* Appends an entry that writes one field; times in any order. */
static inline void wal_write(struct buffer *out, const struct field_text *field)
{
    static const int types[VALUE_TYPES] = {1, 2, 3, 4, 5};
    const struct field_points p = field_parse(field->points);
    struct buffer b = {0};
    add_be(&b, (uint64_t)types[field->type], 1);
    add_be(&b, strlen(field->key), 2);
    buffer_add(&b, field->key, strlen(field->key));
    add_be(&b, p.n, 4);
    for (size_t i = 0; i < p.n; i++) {
        size_t n = strcspn(p.values[i], " ");
        add_be(&b, (uint64_t)p.times[i], 8);
        if (field->type == VALUE_STRING) {
            add_be(&b, n, 4);
            buffer_add(&b, p.values[i], n);
        } else {
            add_be(&b, field_bits(field->type, p.values[i]), field->type == VALUE_BOOLEAN ? 1 : 8);
        }
    }
    add_entry(out, 1, &b);
    buffer_free(&b);
}

/* Appends an entry that deletes the points of a key from min to max. */
static inline void wal_delete(struct buffer *out, const char *key, int64_t min, int64_t max)
{
    struct buffer b = {0};
    add_be(&b, (uint64_t)min, 8);
    add_be(&b, (uint64_t)max, 8);
    add_be(&b, strlen(key), 4);
    buffer_add(&b, key, strlen(key));
    add_entry(out, 3, &b);
    buffer_free(&b);
}

/* A tombstone file of version 2. */
static inline struct buffer tombstone_of(const char *key, int64_t min, int64_t max)
{
    struct buffer b = {0};
    add_be(&b, 0x1502, 4);
    add_delete(&b, key, min, max);
    return b;
}

#endif
