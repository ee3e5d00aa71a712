/* SPDX-License-Identifier: MIT */
/* The sizes of generated files: remembered, or found by making all bytes, once for all who ask. */
#include "fs/generated.h"
#include "fs/generated_files.h"
#include "fs/generated_text.h"
#include "store/base/lock.h"
#include "store/snapshot/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

/* The size of a text, being found by whoever holds `making`. */
struct sizing {
    uint8_t digest[SHA256_BYTES];
    pthread_mutex_t making; /* guards size and done */
    uint64_t size;
    bool done;
    unsigned users; /* guarded by the lock of all, as is the list */
    struct sizing *prev, *next;
};

/* NULL: out of memory. */
static struct sizing *sizing_join(struct generated_files *all, const uint8_t digest[SHA256_BYTES])
{
    lock_scope(&all->lock);
    struct sizing *s = all->sizings;
    while (s && memcmp(s->digest, digest, SHA256_BYTES) != 0)
        s = s->next;
    if (!s && (s = calloc(1, sizeof(*s)))) {
        memcpy(s->digest, digest, SHA256_BYTES);
        pthread_mutex_init(&s->making, NULL);
        DL_APPEND(all->sizings, s);
    }
    if (s)
        s->users++;
    return s;
}

static void sizing_leave(struct generated_files *all, struct sizing *s)
{
    lock_scope(&all->lock);
    if (--s->users)
        return;
    DL_DELETE(all->sizings, s);
    pthread_mutex_destroy(&s->making);
    free(s);
}

/* Makes all bytes, or those after the last mark: one who was interrupted may have come far. */
static int generated_size_make(const struct generated *g, struct schema_cache *c,
                               const struct tarball_reader *reader, uint64_t *size, struct err *e)
{
    struct generated_text t = {0};
    ssize_t n;
    generated_text_at(g, UINT64_MAX, &t);
    while ((n = generated_text_next(g, c, reader, &t, NULL, SIZE_MAX, e)) > 0) {
        g->fs->counters.sizing += (uint64_t)n;
        if (reader_interrupted(reader)) {
            n = err_set(e, -EINTR, "interrupted");
            break;
        }
    }
    *size = t.at;
    generated_text_clear(g, &t);
    return (int)n;
}

static int generated_size_find(const struct generated *g, struct schema_cache *c,
                               const struct tarball_reader *reader, uint64_t *size, struct err *e)
{
    struct catalog *k = schema_cache_catalog(c);
    struct catalog_derived known = {0};
    int r = k ? catalog_get_derived(k, g->digest, &known, NULL) : -ENOENT;
    *size = known.size;
    if (r == 0)
        return 0;
    r = generated_size_make(g, c, reader, size, e);
    known.size = *size;
    /* A size that is not remembered is found again. */
    if (r == 0 && k)
        catalog_put_derived(k, g->digest, &known, NULL);
    return r;
}

int generated_size(struct generated *g, struct schema_cache *c, const uint8_t digest[SHA256_BYTES],
                   const struct tarball_reader *reader, struct err *e)
{
    memcpy(g->digest, digest, SHA256_BYTES);
    struct sizing *s = sizing_join(g->fs->generated, digest);
    if (!s)
        return -ENOMEM;
    int r =
        lock_unless(&s->making, reader ? reader->interrupted : NULL, reader ? reader->ctx : NULL);
    if (r == 0) {
        if (!s->done)
            r = generated_size_find(g, c, reader, &s->size, e);
        s->done = r == 0;
        g->size = s->size;
        pthread_mutex_unlock(&s->making);
    }
    sizing_leave(g->fs->generated, s);
    return r;
}
