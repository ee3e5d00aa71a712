/* SPDX-License-Identifier: MIT */
/* fieldsidx_read and fieldsidx_changes: names lie within the bytes, types are known, and the
 * visitor can end it. */
#include "store/influx/fieldsidx.h"
#include "tests/fuzz/fuzz.h"

struct seen {
    const char *begin, *end;
    size_t n, stop_at;
};

static int count(struct seen *s)
{
    return ++s->n == s->stop_at ? 7 : 0;
}

static void must_be_within(const struct seen *s, struct slice name)
{
    must(name.n == 0 || (name.p >= s->begin && name.n <= (size_t)(s->end - name.p)));
}

static int see_field(void *ctx, struct slice measurement, struct slice name, enum value_type type)
{
    must_be_within(ctx, measurement);
    must_be_within(ctx, name);
    must(name.n > 0 && type < VALUE_TYPES);
    return count(ctx);
}

static int see_drop(void *ctx, struct slice measurement)
{
    must_be_within(ctx, measurement);
    return count(ctx);
}

static void check(const uint8_t *data, size_t n, bool changes)
{
    struct seen all = {(const char *)data, (const char *)data + n, 0, 0}, some = all;
    const struct fieldsidx_visitor v = {see_field, see_drop, &all},
                                   w = {see_field, see_drop, &some};
    int r = changes ? fieldsidx_changes(data, n, &v) : fieldsidx_read(data, n, &v);
    must(r == 0 || (!changes && r == -EBADMSG));
    some.stop_at = (all.n + 1) / 2;
    r = changes ? fieldsidx_changes(data, n, &w) : fieldsidx_read(data, n, &w);
    must((r == 7) == (all.n > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check(data, n, false);
    check(data, n, true);
    return 0;
}
