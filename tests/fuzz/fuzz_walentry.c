/* SPDX-License-Identifier: MIT */
/* walentry_walk: the first byte is the type, the others are the payload. */
#include "store/influx/walentry.h"
#include "tests/fuzz/fuzz.h"

struct seen {
    const uint8_t *p;
    size_t n;
    enum value_type type;
    size_t values_left; /* of the key at hand */
    size_t calls, stop_at;
};

static int count_call(struct seen *s)
{
    return ++s->calls == s->stop_at ? 7 : 0;
}

static int on_key(void *ctx, const char *key, size_t len, enum value_type type, size_t count)
{
    struct seen *s = ctx;
    must(s->values_left == 0);
    must(is_within(key, len, s->p, s->n));
    must(type < VALUE_TYPES && count >= 1 && count <= s->n);
    s->type = type;
    s->values_left = count;
    return count_call(s);
}

static int on_value(void *ctx, int64_t time, const union value *v, const char *text)
{
    struct seen *s = ctx;
    (void)time;
    must(s->values_left > 0);
    s->values_left--;
    if (s->type == VALUE_STRING)
        must(v->s.off == 0 && is_within(text, v->s.len, s->p, s->n));
    return count_call(s);
}

static int on_remove(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct seen *s = ctx;
    (void)min;
    (void)max;
    must(is_within(key, len, s->p, s->n));
    return count_call(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    struct seen all = {.p = data + 1, .n = n - 1};
    struct walentry_visitor v = {on_key, on_value, on_remove, &all};
    int r = walentry_walk(data[0], data + 1, n - 1, &v);
    must(r == 0 || r == -EBADMSG);
    must(r != 0 || all.values_left == 0);
    must(r != 0 || (data[0] >= WALENTRY_WRITE && data[0] <= WALENTRY_DELETE_RANGE));
    must(walentry_walk(data[0], data + 1, n - 1, &(struct walentry_visitor){0}) == r);
    if (all.calls > 0) {
        struct seen some = {.p = data + 1, .n = n - 1, .stop_at = (all.calls + 1) / 2};
        v.ctx = &some;
        must(walentry_walk(data[0], data + 1, n - 1, &v) == 7 && some.calls == some.stop_at);
    }
    return 0;
}
