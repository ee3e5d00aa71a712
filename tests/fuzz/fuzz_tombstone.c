/* SPDX-License-Identifier: MIT */
/* tombstone_read. The records of a plain file are packed into one stream and into two as well, and
 * must read the same: no mutation would get past the checksums of gzip. */
#include "store/influx/tombstone.h"
#include "tests/fuzz/fuzz.h"

#include <zlib.h>

#define MAGIC 4
#define GZIP_EXTRA 1024

struct seen {
    uint64_t sum;
    size_t n, stop_at;
};

static int see(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct seen *s = ctx;
    must(len >= 1 && len <= 65535);
    digest(&s->sum, key, len);
    digest(&s->sum, &min, sizeof(min));
    digest(&s->sum, &max, sizeof(max));
    return ++s->n == s->stop_at ? 7 : 0;
}

static int read_all(const uint8_t *p, size_t n, struct seen *seen)
{
    struct memory m = {p, n};
    struct source s = memory_source(&m);
    struct err e = {""};
    int r = tombstone_read(&s, see, seen, &e);
    must_explain(r, -EBADMSG, &e);
    must((r > 0) == (seen->stop_at > 0 && seen->n == seen->stop_at));
    must(r <= 0 || r == 7);
    return r;
}

static size_t pack(uint8_t *out, size_t room, const uint8_t *p, size_t n)
{
    z_stream z = {
        .next_in = (Bytef *)p, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)room};
    must(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 1, Z_DEFAULT_STRATEGY) == Z_OK);
    must(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static void check_packed(const uint8_t *p, size_t n, int wanted, const struct seen *plain)
{
    size_t room = 2 * n + 2 * GZIP_EXTRA, half = n / 2;
    uint8_t *file = malloc(MAGIC + room);
    if (!file)
        return;
    for (uint8_t version = 3; version <= 4; version++) {
        struct seen seen = {0};
        memcpy(file, "\0\0\x15", 3);
        file[3] = version;
        size_t used = pack(file + MAGIC, room, p, version == 3 ? n : half);
        if (version == 4)
            used += pack(file + MAGIC + used, room - used, p + half, n - half);
        must(read_all(file, MAGIC + used, &seen) == wanted);
        must(seen.n == plain->n && seen.sum == plain->sum);
    }
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct seen all = {0};
    int r = read_all(data, n, &all);
    if (all.n > 0) {
        struct seen some = {.stop_at = (all.n + 1) / 2};
        must(read_all(data, n, &some) == 7);
    }
    if (n > MAGIC && memcmp(data, "\0\0\x15\x02", MAGIC) == 0)
        check_packed(data + MAGIC, n - MAGIC, r, &all);
    return 0;
}
