/* SPDX-License-Identifier: MIT */
/* mark_read: what it names is of a legacy set, and is the same when it is written and read. */
#include "mount-helper/nightly/archive_mark.h"

#include "store/sets/set_name.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct mark *m)
{
    must(strlen(m->store) == STORE_ID && strlen(m->run) == RECEIPT_RUN && m->host);
    for (size_t i = 0; i < m->nnames; i++)
        must(set_name_plain(m->names[i]) && !receipt_is_name(m->names[i], NULL, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct mark m, again;
    struct buffer text = {0};
    struct err e = {""};
    int r = mark_read(data, n, &m, &e);
    must_explain(r, -EBADMSG, &e);
    if (r < 0)
        return 0;
    check(&m);
    must(mark_text(&m, &text) == 0);
    must(mark_read(text.p, text.n, &again, &e) == 0);
    check(&again);
    must(again.nnames == m.nnames);
    mark_clear(&again);
    mark_clear(&m);
    buffer_free(&text);
    return 0;
}
