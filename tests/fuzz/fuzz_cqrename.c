/* SPDX-License-Identifier: MIT */
/* cqrename: a query is refused with a reason, or has the other name and none of the first; what has
 * been renamed can be renamed again. */
#include "store/influx/cqrename.h"
#include "tests/fuzz/fuzz.h"

static int rename_to(const char *text, const char *from, const char *to, struct buffer *out)
{
    struct err why = {""};
    int r = cqrename(text, from, to, out, &why);
    must(r == 1 || (r == 0 && why.text[0]) || r == -ENOMEM);
    buffer_add(out, "", 1);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buffer text = {0}, other = {0}, again = {0}, same = {0};
    buffer_add(&text, data, n);
    buffer_add(&text, "", 1);
    if (rename_to(text.p, "foo", "b\"ar\\", &other) == 1) {
        must(rename_to(other.p, "b\"ar\\", "foo", &again) == 1);
        /* No name is left that another renaming would find. */
        if (rename_to(other.p, "foo", "x", &same) == 1)
            must(same.n == other.n && memcmp(same.p, other.p, same.n) == 0);
    }
    buffer_free(&text);
    buffer_free(&other);
    buffer_free(&again);
    buffer_free(&same);
    return 0;
}
