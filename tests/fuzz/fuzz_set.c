/* SPDX-License-Identifier: MIT */
/* Sets of influxd. The first byte of an input says what the rest is: a name, a manifest, a metastore;
 * or a tar of a set, the checksums of whose headers, and of those of the tars in it, are put right
 * first, so that other things than those can be wrong. */
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/restore/plain.h"
#include "store/sets/set.h"
#include "store/sets/set_manifest.h"
#include "store/sets/set_meta.h"
#include "store/sets/set_name.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#define BLOCK 512

enum { NAME, MANIFEST, LEGACY, PORTABLE, TAR, KINDS };

static void fuzz_name(const char *name)
{
    const size_t n = strlen(name);
    size_t prefix = n;
    uint64_t id = 0, run = 0;
    enum set_name kind = set_name_kind(name);
    const bool shard = set_name_shard(name, &prefix, &id, &run);
    must(prefix <= n && (!shard || (prefix >= 3 && memchr(name, '.', prefix))));
    must(!(shard && set_name_meta(name, &run)));
    must(kind == SET_NO_NAME || set_name_plain(name));
    must(kind != SET_PORTABLE || !shard);
}

static void fuzz_manifest(const char *text, size_t n)
{
    struct set_manifest m = {0};
    struct err e = {""};
    int r = set_manifest_parse(text, n, &m, &e);
    must_explain(r, -EBADMSG, &e);
    must(r == 0 || !m.files);
    for (size_t i = 0; i < m.nfiles; i++) {
        must(set_name_plain(m.files[i].name));
        must(i == 0 || m.files[i - 1].shard < m.files[i].shard);
    }
    must(r < 0 || set_name_plain(m.meta));
    set_manifest_clear(&m);
}

static void fuzz_metastore(const uint8_t *p, size_t n, bool legacy)
{
    struct bytes out = {0};
    struct err e = {""};
    int r = legacy ? set_meta_legacy((struct bytes){p, n}, &out, &e)
                   : set_meta_portable((struct bytes){p, n}, n / 2, &out, &e);
    must_explain(r, -EBADMSG, &e);
    must(r < 0 || is_within(out.p, out.n, p, n));
    if (r == 0)
        set_meta_cluster(out);
}

/* A tar of a set */

static void repair_sums(uint8_t *p, size_t n)
{
    for (; n >= BLOCK; p += BLOCK, n -= BLOCK) {
        unsigned sum = 0;
        char text[8];
        if (memcmp(p + 257, "ustar", 5) != 0)
            continue;
        for (int i = 0; i < BLOCK; i++)
            sum += i >= 148 && i < 156 ? ' ' : p[i];
        snprintf(text, 7, "%06o", sum);
        text[6] = 0;
        text[7] = ' ';
        memcpy(p + 148, text, 8);
    }
}

static ssize_t pull(void *arg, int if_ended, const void **block)
{
    struct bytes *b = arg;
    size_t n = b->n;
    (void)if_ended;
    *block = b->p;
    b->n = 0;
    return (ssize_t)n;
}

static void empty(int folder)
{
    struct dir d;
    must(dir_read(folder, &d) == 0);
    for (size_t i = 0; i < d.n; i++)
        unlinkat(folder, d.names[i], 0);
    dir_free(&d);
}

/* What it gives is as long as it said, and the same again. */
static void fuzz_read(struct set *s)
{
    uint64_t sums[2] = {0}, sizes[2] = {0};
    struct err e = {""};
    for (int round = 0; round < 2; round++) {
        const void *block;
        ssize_t n;
        while ((n = set_next(s, &block, &e)) > 0) {
            for (ssize_t i = 0; i < n; i += 64)
                digest(&sums[round], (const uint8_t *)block + i, 1);
            sizes[round] += (uint64_t)n;
        }
        must(n == 0 && sizes[round] == set_size(s));
        set_rewind(s);
    }
    must(sums[0] == sums[1]);
}

static void fuzz_folder(int folder, bool unite)
{
    const struct set_options o = {.unite = unite};
    struct set *s = NULL;
    struct err e = {""};
    bool complete = false;
    enum set_name kind;
    must(set_folder_kind(folder, &kind) == 0);
    must(set_is_complete(folder, &complete, &e) == 0);
    e.text[0] = 0;
    int r = set_open(folder, "set", &o, &s, &e);
    must_explain(r == -EINVAL || r == -EFBIG ? -EBADMSG : r, -EBADMSG, &e);
    if (r < 0)
        return;
    must(kind != SET_NO_NAME); /* what is left out need not be complete */
    must(set_notes(s) > 0);
    const struct manifest *m = set_manifest(s);
    for (size_t i = 0; i < m->nfiles; i++)
        must(manifest_name_ok(m->files[i].name, false));
    fuzz_read(s);
    set_free(s);
}

static void fuzz_tar(const uint8_t *p, size_t n, uint8_t how)
{
    char path[] = "/tmp/fuzz_set-XXXXXX"; /* anew each time: libFuzzer ends without notice */
    must(mkdtemp(path));
    autoclose int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(folder >= 0);
    struct bytes in = {p, n};
    const struct tar_input input = {pull, NULL, &in};
    struct err e = {""};
    int begins = set_tar_begins(p, n, how & 0x40);
    must(begins == 0 || begins == 1 || (begins == -EAGAIN && !(how & 0x40)));
    int r = set_unpack_tar(&input, folder, &e);
    must_explain(r == -EINVAL || r == -ENAMETOOLONG ? -EBADMSG : r, -EBADMSG, &e);
    fuzz_folder(folder, how & 0x80);
    empty(folder);
    must(rmdir(path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    const uint8_t how = *data++;
    autofree uint8_t *copy = malloc(n);
    must(copy);
    memcpy(copy, data, --n);
    copy[n] = 0;
    if (how % KINDS == NAME)
        fuzz_name((char *)copy);
    else if (how % KINDS == MANIFEST)
        fuzz_manifest((char *)copy, n);
    else if (how % KINDS == TAR) {
        repair_sums(copy, n);
        fuzz_tar(copy, n, how);
    } else
        fuzz_metastore(copy, n, how % KINDS == LEGACY);
    return 0;
}
