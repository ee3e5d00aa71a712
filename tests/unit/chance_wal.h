/* SPDX-License-Identifier: MIT */
/* WALs of one shard by chance: three segments with values of all types, deletes, a field that has two types
 * now and then, and another measurement; and what a replay of them holds, as text. For one test program. */
#ifndef INFLUXFS_TESTS_UNIT_CHANCE_WAL_H
#define INFLUXFS_TESTS_UNIT_CHANCE_WAL_H

#include "store/points/walcache.h"
#include "tests/unit/chance.h"
#include "tests/unit/memory_capture.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>

#define FOLDER "wal/db/rp/1"
#define SEGMENTS 3

static const struct shard_files shard = {
    .db = "db", .rp = "rp", .id = 1, .nwal = SEGMENTS, .wal = (size_t[]){0, 1, 2}};
static const struct slice m = {"m", 1}, nothing = {NULL, 0}, least = {"", 0};

static const char *const segment_names[SEGMENTS] = {"_00001.wal", "_00002.wal", "_00003.wal"};

static inline void some_key(char key[64])
{
    static const char *const fields[] = {"f", "i", "s", "#!~#"};
    sprintf(key, "%s,t=%u" SERIESKEY_SEPARATOR "%s", random64() % 5 ? "m" : "m2",
            (unsigned)(random64() % 60), fields[random64() % 4]);
}

/* A record of some type: a field may get two. */
static inline void some_record(struct buffer *segment)
{
    static const char *const values[] = {[VALUE_FLOAT] = "%u=1.5 %u=-2",
                                         [VALUE_INTEGER] = "%u=7 %u=8",
                                         [VALUE_BOOLEAN] = "%u=true %u=false",
                                         [VALUE_STRING] = "%u=one %u=" /* empty */,
                                         [VALUE_UNSIGNED] = "%u=7 %u=9"};
    char key[64], points[64];
    const enum value_type usual = random64() % 8 ? VALUE_STRING : VALUE_INTEGER;
    const enum value_type type = random64() % 40 ? usual : (enum value_type)(random64() % 5);
    const unsigned at = (unsigned)(random64() % 30);
    some_key(key);
    if (random64() % 5 == 0) {
        wal_delete(segment, key, at, random64() % 3 ? at + 5 : INT64_MAX);
        return;
    }
    snprintf(points, sizeof(points), values[type], at, (unsigned)(random64() % 30));
    wal_write(segment, &(struct field_text){key, type, points});
}

/* `records`: of a segment, at most. */
static inline struct memory *some_wal(size_t records)
{
    struct memory *memory = memory_new();
    for (size_t i = 0; i < SEGMENTS; i++) {
        struct buffer segment = {0};
        for (size_t n = 1 + random64() % records; n > 0; n--)
            some_record(&segment);
        memory_add(memory, FOLDER, segment_names[i], segment);
    }
    return memory;
}

/* The lines, each once: what is told may be told again. */
static inline void say(void *ctx, const char *words)
{
    struct buffer *said = ctx;
    char line[512];
    const int n = snprintf(line, sizeof(line), "%s\n", words);
    if (!said->p || !memmem(said->p, said->n, line, (size_t)n))
        buffer_add(said, line, (size_t)n);
}

static inline void put_keys(struct buffer *out, const struct walcache *w)
{
    for (size_t i = 0; i < walcache_count(w); i++) {
        const struct walcache_key k = walcache_at(w, i);
        buffer_text(out, "%.*s/%d", (int)k.key.n, k.key.p, k.type);
        for (size_t v = 0; v < k.n; v++) {
            const union value *value = &k.values[v].value;
            buffer_text(out, " %" PRId64 "=", k.values[v].time);
            if (k.type == VALUE_STRING)
                buffer_text(out, "'%.*s'", (int)value->s.len, k.text + value->s.off);
            else if (k.type == VALUE_BOOLEAN)
                buffer_text(out, "%d", value->b);
            else
                buffer_text(out, "%" PRIx64, value->u);
        }
        buffer_text(out, "\n");
    }
}

#endif
