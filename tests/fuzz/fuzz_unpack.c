/* SPDX-License-Identifier: MIT */
/* unpack_run: a tar that somebody copies in, hostile or not, with a sink that keeps nothing. The
 * first byte of an input says in what pieces the rest comes, and whether the checksums of its headers
 * are put right first, so that other things than those can be wrong. */
#include "store/restore/unpack.h"
#include "tests/fuzz/fuzz.h"

#define BLOCK 512

struct arrival {
    const uint8_t *p;
    size_t n, at, piece;
    int at_end;    /* what pull returns there: 0, or an error */
    int if_ended;  /* as pull was told last */
    bool given;    /* it has been at the end */
    uint64_t seen; /* digest of what the sink was given */
    const struct manifest *m;
    const struct manifest_file *file; /* open */
    uint64_t left;                    /* of it */
    size_t files;
};

static ssize_t pull(void *arg, int if_ended, const void **block)
{
    struct arrival *a = arg;
    size_t n = a->n - a->at;
    must(!a->given);
    must(if_ended == 0 || if_ended == -EINVAL || if_ended == -EBADMSG || if_ended == TAR_UNSURE);
    a->if_ended = if_ended;
    a->given = n == 0;
    if (n == 0)
        return a->at_end;
    n = n < a->piece ? n : a->piece;
    *block = a->p + a->at;
    a->at += n;
    return (ssize_t)n;
}

static void member(void *arg, const char *name, uint64_t size)
{
    const struct arrival *a = arg;
    const struct manifest_file *f = manifest_find(a->m, name);
    must(!a->file && f && f->size == size);
}

static void progress(void *arg, uint64_t n)
{
    (void)arg;
    must(n > 0);
}

static int sink_begin(void *arg, const struct manifest *m, struct err *e)
{
    struct arrival *a = arg;
    (void)e;
    must(!a->m);
    a->m = m;
    return 0;
}

static int sink_open(void *arg, const char *name, uint64_t size, uint64_t at, struct err *e)
{
    struct arrival *a = arg;
    (void)e;
    must(manifest_name_ok(name, false) && at % BLOCK == 0);
    a->file = manifest_find(a->m, name);
    must(a->file && a->file->size == size);
    a->left = size;
    digest(&a->seen, name, strlen(name));
    return 0;
}

static int sink_write(void *arg, const void *buf, size_t n, struct err *e)
{
    struct arrival *a = arg;
    (void)e;
    must(a->file && n <= a->left);
    a->left -= n;
    for (size_t i = 0; i < n; i++) /* so that it does not matter in what pieces it comes */
        digest(&a->seen, (const uint8_t *)buf + i, 1);
    return 0;
}

static int sink_close(void *arg, struct err *e)
{
    struct arrival *a = arg;
    (void)e;
    must(a->file && a->left == 0);
    a->file = NULL;
    a->files++;
    return 0;
}

/* All that holds whatever comes, and the verdict. */
static int arrive(struct arrival *a)
{
    const struct unpack_io io = {{pull, NULL, a}, NULL, member, progress, a};
    const struct unpack_sink sink = {sink_begin, sink_open, sink_write, sink_close, a};
    struct manifest *m = NULL;
    struct err e = {""};
    int r = unpack_run(&io, &sink, &m, &e);
    if (r != a->at_end || r == 0)
        must_explain(r == -EINVAL || r == -ENOTSUP ? -EBADMSG : r, -EBADMSG, &e);
    must(!a->m || a->m == m);
    must(r < 0 || (m && !a->file && a->files == m->nfiles && a->given));
    must(r < 0 || a->if_ended == 0 || a->if_ended == TAR_UNSURE);
    manifest_free(m);
    return r;
}

static void repair_sums(uint8_t *p, size_t n)
{
    for (; n >= BLOCK; p += BLOCK, n -= BLOCK) {
        unsigned sum = 0;
        char text[8] = "      \0 ";
        if (memcmp(p + 257, "ustar", 5) != 0)
            continue;
        for (int i = 0; i < BLOCK; i++)
            sum += i >= 148 && i < 156 ? ' ' : p[i];
        snprintf(text, 7, "%06o", sum);
        text[7] = ' ';
        memcpy(p + 148, text, 8);
    }
}

/* Their decoders take the memory that a header asks for, up to 128 MiB at once; what is fuzzed here
 * is the same for the others. */
static bool is_zstd_or_xz(const uint8_t *p, size_t n)
{
    return (n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0) ||
           (n >= 6 && memcmp(p, "\xfd\x37\x7a\x58\x5a", 6) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const size_t pieces[] = {1 << 20, 1, 97, BLOCK};
    if (n == 0 || is_zstd_or_xz(data + 1, n - 1))
        return 0;
    uint8_t how = *data++;
    uint8_t *copy = malloc(n--);
    must(copy);
    memcpy(copy, data, n);
    if (how & 4)
        repair_sums(copy, n);
    struct arrival whole = {.p = copy, .n = n, .piece = n + 1};
    struct arrival parts = {.p = copy, .n = n, .piece = pieces[how % 4]};
    struct arrival cut = {.p = copy, .n = n, .piece = n + 1, .at_end = -ECANCELED};
    int r = arrive(&whole);
    must(arrive(&parts) == r && (r < 0 || parts.seen == whole.seen));
    /* An error of the input is what comes of it, unless what came before it is damaged; an end is
     * what pull was told that it would be. */
    int broken = arrive(&cut);
    must(broken == (whole.given ? -ECANCELED : r) || (broken == r && r < 0));
    must(!whole.given || whole.if_ended == TAR_UNSURE || whole.if_ended == r);
    free(copy);
    return 0;
}
