/* SPDX-License-Identifier: MIT */
/* tsmfile: a file is walked and all its blocks are read, first as it is and then with the checksums
 * that its index and its blocks would have, since no mutation finds those by itself. */
#include "store/influx/tsmfile.h"
#include "tests/fuzz/fuzz.h"

#include <zlib.h>

#define KEY_MAX 65535

struct last {
    char key[KEY_MAX];
    size_t n;
};

/* As tsmfile.h says: strictly ascending. */
static void check_key(struct last *last, const struct tsmfile_key *key)
{
    must(key->len >= 1 && key->len <= KEY_MAX);
    must(key->type < VALUE_TYPES && key->nentries >= 1);
    size_t n = key->len < last->n ? key->len : last->n;
    int c = memcmp(key->key, last->key, n);
    must(c > 0 || (c == 0 && key->len > last->n));
    memcpy(last->key, key->key, key->len);
    last->n = key->len;
}

static void check_entries(const struct tsmfile_key *key, size_t size)
{
    struct tsmfile_entry before = {.max = INT64_MIN};
    for (size_t i = 0; i < key->nentries; i++) {
        struct tsmfile_entry n = tsmfile_entry(key, i);
        must(n.min <= n.max && n.min >= before.max);
        must(n.size > 4 && n.offset < size && n.size <= size - n.offset);
        must(i == 0 || n.offset == before.offset + before.size);
        before = n;
    }
    must(key->min == tsmfile_entry(key, 0).min && key->max == before.max);
}

static void read_block(struct tsmfile *f, const struct tsmfile_key *key, size_t i,
                       struct tsmblock *b)
{
    struct tsmfile_entry n = tsmfile_entry(key, i);
    enum value_type type = key->type;
    struct err e = {""};
    int r = tsmfile_block(f, &n, type, b, &e);
    must_explain(r, -EBADMSG, &e);
    if (r < 0) {
        must(b->n == 0);
        return;
    }
    must(b->n >= 1 && b->type == type);
    must(b->times[0] == n.min && b->times[b->n - 1] == n.max);
}

static void repair(uint8_t *file, const struct tsmfile_key *key)
{
    for (size_t i = 0; i < key->nentries; i++) {
        struct tsmfile_entry n = tsmfile_entry(key, i);
        uint32_t sum = (uint32_t)crc32(0, file + n.offset + 4, n.size - 4);
        for (int k = 0; k < 4; k++)
            file[n.offset + (unsigned)k] = (uint8_t)(sum >> (24 - 8 * k));
    }
}

/* The keys that begin with the first half of a name are those that a seek gives. */
static void check_seek(struct tsmfile *f, const struct last *prefix)
{
    struct tsmfile_key key;
    struct err e = {""};
    size_t half = (prefix->n + 1) / 2, all = 0, found = 0;
    tsmfile_seek(f, NULL, 0);
    while (tsmfile_next(f, &key, &e) == 1)
        all += key.len >= half && memcmp(key.key, prefix->key, half) == 0;
    tsmfile_seek(f, prefix->key, half);
    int r;
    while ((r = tsmfile_next(f, &key, &e)) == 1) {
        must(key.len >= half && memcmp(key.key, prefix->key, half) == 0);
        found++;
    }
    must(r == 0 && found == all && all >= 1);
}

/* Walks the file; with a copy, makes the checksums in that copy right. Reads blocks only after the
 * whole key has been looked at, as a block may be read at any time. */
static void walk(struct memory *m, uint8_t *copy, struct tsmblock *b)
{
    struct source s = memory_source(m);
    struct tsmfile *f = NULL;
    struct tsmfile_key key;
    struct err e = {""};
    static struct last last;
    int r = tsmfile_open(&s, &f, &e);
    must_explain(r, -EBADMSG, &e);
    if (r < 0)
        return;
    last.n = 0;
    while ((r = tsmfile_next(f, &key, &e)) == 1) {
        check_key(&last, &key);
        check_entries(&key, m->n);
        for (size_t i = 0; !copy && i < key.nentries; i++)
            read_block(f, &key, i, b);
        if (copy)
            repair(copy, &key);
    }
    must_explain(r, -EBADMSG, &e);
    if (r == 0 && !copy && last.n > 0)
        check_seek(f, &last);
    tsmfile_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct tsmblock b;
    uint8_t *copy = malloc(n + 1);
    if (!copy)
        return 0;
    memcpy(copy, data, n);
    struct memory as_it_is = {data, n}, repaired = {copy, n};
    walk(&as_it_is, NULL, &b);
    walk(&as_it_is, copy, &b);
    walk(&repaired, NULL, &b);
    free(copy);
    return 0;
}
