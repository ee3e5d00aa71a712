/* SPDX-License-Identifier: MIT */
#include "store/snapshot/hashing.h"

#include "store/base/cleanup.h"
#include "store/snapshot/damage.h"

#include <errno.h>

void hashing_clear(struct hashing *g)
{
    sha256_free(g->sha);
    g->sha = NULL;
}

static int hashing_begin(struct hashing *g, struct err *e)
{
    if (g->sha)
        sha256_reset(g->sha);
    else if (!(g->sha = sha256_new()))
        return err_sys(e, -ENOMEM, "a checksum");
    return 0;
}

/* whole: the bytes of the member, if they came in one piece. */
static int hashing_end(struct hashing *g, const char *whole, struct err *e)
{
    uint8_t sum[SHA256_BYTES];
    struct err damaged = {0};
    int r = whole ? damage_look_in(g->capture, g->member, whole, &damaged)
                  : damage_look(g->capture, g->member, DAMAGE_INDEX, &damaged);
    if (r < 0 && r != -EBADMSG) /* the code that asks for damage reports it; the bytes are right */
        return err_set(e, r, "%s", damaged.text);
    sha256_end(g->sha, sum);
    capture_set_sum(g->capture, g->member, sum);
    return 1;
}

int hashing_go_on(struct hashing *g, char *buf, uint64_t limit, struct err *e)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m = capture_look(g->capture, g->member, &look, e);
    if (!m)
        return -EIO;
    const uint64_t size = m->attr.size;
    const uint64_t end = limit < size ? limit : size;
    const uint64_t left = end > g->off ? end - g->off : 0;
    const size_t n = left < HASHING_PIECE ? (size_t)left : HASHING_PIECE;
    int r = g->off == 0 ? hashing_begin(g, e) : 0;
    if (r == 0)
        r = capture_read(g->capture, g->member, buf, n, g->off, e);
    if (r < 0)
        return r;
    sha256_add(g->sha, buf, n);
    g->off += n;
    return g->off < size ? 0 : hashing_end(g, n == size ? buf : NULL, e);
}
