/* SPDX-License-Identifier: MIT */
/* tsmencode_block: points are encoded and decoded again; those of a block, if the bytes are one, else
 * points that are made of them. */
#include "store/influx/tsmencode.h"
#include "tests/fuzz/any_points.h"
#include "tests/unit/tsm_same.h"

#define MOST 5000

static void round_trip(const struct tsmblock *b)
{
    static struct tsmblock back;
    struct buffer once = {0}, again = {0};
    struct err e = {""};
    int r = tsmencode_block(b, &once, &e);
    must_explain(r, -EINVAL, &e);
    must((r == -EINVAL) == any_nan(b));
    if (r == 0) {
        must(tsmblock_decode(&back, once.p, once.n, &e) == 0);
        must(tsm_same(b, &back));
        must(tsmencode_block(&back, &again, &e) == 0);
        must(once.n == again.n && memcmp(once.p, again.p, once.n) == 0);
    }
    buffer_free(&once);
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct tsmblock decoded;
    static int64_t times[MOST];
    static union value values[MOST];
    struct tsmblock made = {.times = times, .values = values};
    struct any any = {data, n, data, n};
    if (tsmblock_decode(&decoded, data, n, NULL) == 0)
        round_trip(&decoded);
    enum value_type type = (enum value_type)(any_number(&any, 1) % VALUE_TYPES);
    any_points(&any, type, MOST, (int64_t)any_number(&any, 8) / 2, 0, &made);
    round_trip(&made);
    return 0;
}
