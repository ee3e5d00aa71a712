/* SPDX-License-Identifier: MIT */
/* settled: a TSM file and its tombstone, first as they are and then with the checksums that the
 * blocks would have. What is made is whole, and holds the points that are not deleted, if the file
 * could be read; where damage may be left out it is always made. */
#include "store/influx/tsmfile.h"
#include "store/rewrite/settled.h"
#include "store/snapshot/capture_impl.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

/* A capture of the two files. */
struct two {
    struct capture c;
    struct member members[2];
    struct memory bytes[2];
    struct omissions left_out;
};

static int two_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                    struct err *e)
{
    return read_memory((void *)&((const struct two *)c)->bytes[i], buf, n, off, e);
}

static void two_set(struct two *t, const uint8_t *tsm, size_t ntsm, const uint8_t *tombstone,
                    size_t ntombstone)
{
    static const struct capture_ops ops = {.read = two_read};
    *t = (struct two){.c = {.ops = &ops, .members = t->members, .n = 2, .left_out = &t->left_out},
                      .bytes = {{tsm, ntsm}, {tombstone, ntombstone}}};
    t->members[0] = (struct member){.dir = "data/db/rp/1", .name = "1-1.tsm"};
    t->members[1] = (struct member){.dir = "data/db/rp/1", .name = "1-1.tombstone"};
    for (size_t i = 0; i < 2; i++) {
        t->members[i].attr.mode = S_IFREG;
        t->members[i].attr.size = t->bytes[i].n;
    }
}

static const struct shard_files shard = {
    .db = "db", .rp = "rp", .id = 1, .ntsm = 1, .tsm = (struct shard_tsm[]){{0, 1}}};

/* The points of a file that are in the range and not deleted, as a sum; false: damaged. */
static bool points_of(const struct source *s, struct deletes *d, struct time_range range,
                      uint64_t *sum)
{
    static struct tsmblock b;
    struct tsmfile *f = NULL;
    struct tsmfile_key key;
    struct err e = {""};
    int r = tsmfile_open(s, &f, &e);
    while (r >= 0 && (r = tsmfile_next(f, &key, &e)) == 1) {
        const struct key_deletes *k = d ? deletes_of(d, (struct slice){key.key, key.len}) : NULL;
        for (size_t i = 0; r >= 0 && i < key.nentries; i++) {
            struct tsmfile_entry n = tsmfile_entry(&key, i);
            r = tsmfile_block(f, &n, key.type, &b, &e);
            for (size_t p = 0; r >= 0 && p < b.n; p++) {
                int64_t t = b.times[p];
                if (t < range.min || t > range.max || (k && key_deletes_time(k->list, k->n, t)))
                    continue;
                digest(sum, key.key, key.len);
                digest(sum, &t, sizeof(t));
                if (key.type == VALUE_STRING)
                    digest(sum, b.strings + b.values[p].s.off, b.values[p].s.len);
                else if (key.type == VALUE_BOOLEAN)
                    digest(sum, &b.values[p].b, sizeof(b.values[p].b));
                else
                    digest(sum, &b.values[p].u, sizeof(b.values[p].u));
            }
        }
    }
    tsmfile_free(f);
    return r == 0;
}

/* But for the insides of blocks, which are copied as they lie. */
static bool is_whole(const struct source *s)
{
    struct tsmfile *f = NULL;
    struct tsmfile_key key;
    const void *block;
    size_t size;
    int r = tsmfile_open(s, &f, NULL);
    while (r >= 0 && (r = tsmfile_next(f, &key, NULL)) == 1)
        for (size_t i = 0; r >= 0 && i < key.nentries; i++) {
            struct tsmfile_entry n = tsmfile_entry(&key, i);
            r = tsmfile_raw(f, &n, key.type, &block, &size, NULL);
        }
    tsmfile_free(f);
    return r == 0;
}

static int read_settled(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    must(off <= settled_at(ctx, 0)->size && n <= settled_at(ctx, 0)->size - off);
    return settled_read(ctx, 0, buf, n, off, e);
}

static void check_made(struct two *t, struct settled *s, struct time_range range)
{
    struct source tsm = memory_source(&t->bytes[0]), tombstone = memory_source(&t->bytes[1]);
    struct deletes *d = NULL;
    uint64_t wanted = 0, got = 0;
    must(settled_count(s) <= 1);
    bool readable = deletes_read(&tombstone, (struct slice){NULL, 0}, &d, NULL) == 0 &&
                    points_of(&tsm, d, range, &wanted);
    deletes_free(d);
    if (settled_count(s) == 1) {
        struct source made = {read_settled, s, settled_at(s, 0)->size, "made"};
        must(points_of(&made, NULL, range, &got) || !readable);
        must(settled_at(s, 0)->member == 0 || is_whole(&made));
    }
    must(!readable || got == wanted);
}

static void ignore(void *ctx, const char *words)
{
    (void)ctx;
    must(*words);
}

static void settle(struct two *t, struct time_range range, bool gaps)
{
    static const struct gaps allowed = {.damage = true, .say = ignore};
    static int folder = -1;
    struct settled *s = NULL;
    struct err e = {""};
    if (folder < 0)
        folder = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct settled_query q = {&t->c, &shard, range, folder, gaps ? &allowed : NULL, NULL};
    int r = settled_open(&q, &s, &e);
    must_explain(r, -EBADMSG, &e);
    must(r != -EBADMSG || !gaps);
    if (r == 0)
        check_made(t, s, range);
    settled_free(s);
}

static void repair(uint8_t *file, size_t n)
{
    struct memory m = {file, n};
    struct source s = memory_source(&m);
    struct tsmfile *f = NULL;
    struct tsmfile_key key;
    if (tsmfile_open(&s, &f, NULL) < 0)
        return;
    while (tsmfile_next(f, &key, NULL) == 1)
        for (size_t i = 0; i < key.nentries; i++) {
            struct tsmfile_entry b = tsmfile_entry(&key, i);
            uint32_t sum = htobe32((uint32_t)crc32(0, file + b.offset + 4, b.size - 4));
            memcpy(file + b.offset, &sum, sizeof(sum));
        }
    tsmfile_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 4)
        return 0;
    size_t ntsm = (size_t)data[0] << 8 | data[1];
    const struct time_range some = {(int8_t)data[2], (int8_t)data[3]};
    data += 4;
    n -= 4;
    ntsm = ntsm < n ? ntsm : n;
    uint8_t *tsm = malloc(ntsm + 1);
    struct two t;
    if (!tsm)
        return 0;
    memcpy(tsm, data, ntsm);
    two_set(&t, tsm, ntsm, data + ntsm, n - ntsm);
    for (int round = 0; round < 2; round++) {
        settle(&t, SETTLED_ALL, round);
        settle(&t, some, !round);
        repair(tsm, ntsm);
    }
    settle(&t, SETTLED_ALL, false);
    free(tsm);
    return 0;
}
