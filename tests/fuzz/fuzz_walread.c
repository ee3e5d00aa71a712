/* SPDX-License-Identifier: MIT */
/* walread and wal_scan: what one takes for whole, the other replays, and nothing else. */
#include "store/influx/wal.h"
#include "store/influx/walentry.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

struct seen {
    size_t calls, stop_at;
};

static int on_key(void *ctx, const char *key, size_t len, enum value_type type, size_t count)
{
    struct seen *s = ctx;
    uint64_t sum = 0;
    digest(&sum, key, len);
    must(type < VALUE_TYPES && count >= 1);
    return ++s->calls == s->stop_at ? -EIO : 0;
}

static int on_remove(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct seen *s = ctx;
    uint64_t sum = 0;
    (void)min;
    (void)max;
    digest(&sum, key, len);
    return ++s->calls == s->stop_at ? -EIO : 0;
}

static int replay(const uint8_t *data, size_t n, struct seen *s, struct err *e)
{
    struct memory m = {data, n};
    struct source source = memory_source(&m);
    return walread(&source, &(struct walentry_visitor){on_key, NULL, on_remove, s}, e);
}

static size_t scan(const uint8_t *data, size_t n)
{
    static int fd = -1;
    uint64_t good = UINT64_MAX, next = 0;
    enum wal_end how;
    if (fd < 0)
        fd = memfd_create("segment", MFD_CLOEXEC);
    must(fd >= 0 && ftruncate(fd, 0) == 0);
    must(pwrite(fd, data, n, 0) == (ssize_t)n);
    must(wal_scan(fd, 0, n, &good, &how) == 0 && good <= n);
    must((how == WAL_WHOLE) == (good == n));
    must(wal_hole(fd, good, n, &next) == 0 && next >= good && next <= n);
    for (uint64_t i = good; i < next; i++)
        must(data[i] == 0);
    must(next == n || data[next] != 0);
    return (size_t)good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct seen all = {0}, good = {0};
    struct err e = {""};
    size_t whole = scan(data, n);
    int r = replay(data, n, &all, &e);
    must_explain(r, -EBADMSG, &e);
    must((r == 0) == (whole == n));
    must(replay(data, whole, &good, NULL) == 0 && good.calls == all.calls);
    if (all.calls > 0) {
        struct seen some = {.stop_at = (all.calls + 1) / 2};
        must(replay(data, n, &some, NULL) == -EIO && some.calls == some.stop_at);
    }
    return 0;
}
