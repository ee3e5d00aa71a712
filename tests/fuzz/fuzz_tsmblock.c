/* SPDX-License-Identifier: MIT */
/* tsmblock_decode: the bytes of a block without its checksum. */
#include "store/influx/tsmblock.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tsm_same.h"

#define FLOAT_END 0x7ff8000000000001u

static void check_points(const struct tsmblock *b)
{
    must(b->n >= 1 && b->n <= TSMBLOCK_MAX_POINTS);
    must(b->type < VALUE_TYPES);
    for (size_t i = 1; i < b->n; i++)
        must(b->times[i] >= b->times[i - 1]);
    for (size_t i = 0; b->type == VALUE_FLOAT && i < b->n; i++)
        must(b->values[i].u != FLOAT_END);
    for (size_t i = 0; b->type == VALUE_STRING && i < b->n; i++)
        must((uint64_t)b->values[i].s.off + b->values[i].s.len <= b->strings_cap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct tsmblock used; /* what earlier blocks left in it must not matter */
    struct tsmblock fresh = {0};
    struct err e = {""};
    int r = tsmblock_decode(&fresh, data, n, &e);
    must_explain(r, -EBADMSG, &e);
    must(tsmblock_decode(&used, data, n, NULL) == r);
    if (r == 0) {
        check_points(&fresh);
        must(tsm_same(&used, &fresh));
    } else {
        must(fresh.n == 0 && used.n == 0);
    }
    tsmblock_free(&fresh);
    return 0;
}
