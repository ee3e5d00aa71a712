/* SPDX-License-Identifier: MIT */
#include "store/snapshot/capture_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct delta {
    struct capture c;
    struct capture *whole;
    size_t *at;   /* which member of whole each of ours is */
    char *text;   /* memory of the origin */
    char **names; /* its lists */
};

static struct delta *of(const struct capture *c)
{
    return (struct delta *)c;
}

static void delta_free(struct capture *c)
{
    struct delta *d = of(c);
    capture_unref(d->whole);
    free(d->at);
    free(d->text);
    free(d->names);
    free(c->members);
    free(d);
}

static int delta_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                      struct err *e)
{
    return capture_read(of(c)->whole, of(c)->at[i], buf, n, off, e);
}

static void delta_advise(const struct capture *c, size_t i, size_t n, uint64_t off)
{
    capture_advise(of(c)->whole, of(c)->at[i], n, off);
}

static bool delta_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    return capture_sum(of(c)->whole, of(c)->at[i], out);
}

static void delta_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    capture_set_sum(of(c)->whole, of(c)->at[i], sum);
}

static bool delta_damaged(const struct capture *c, size_t i)
{
    return capture_damaged(of(c)->whole, of(c)->at[i]);
}

static void delta_set_damaged(struct capture *c, size_t i)
{
    capture_set_damaged(of(c)->whole, of(c)->at[i]);
}

static int delta_keep_sums(struct capture *c, struct err *e)
{
    return capture_keep_sums(of(c)->whole, e);
}

static const struct capture_ops delta_ops = {
    .free = delta_free,
    .read = delta_read,
    .advise = delta_advise,
    .sum = delta_sum,
    .set_sum = delta_set_sum,
    .damaged = delta_damaged,
    .set_damaged = delta_set_damaged,
    .keep_sums = delta_keep_sums,
};

static int delta_choose(struct delta *d, const bool *in)
{
    size_t n = capture_count(d->whole);
    d->at = calloc(n + 1, sizeof(*d->at));
    d->c.members = calloc(n + 1, sizeof(*d->c.members));
    if (!d->at || !d->c.members)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!in[i])
            continue;
        d->at[d->c.n] = i;
        d->c.members[d->c.n++] = *capture_member(d->whole, i);
    }
    return 0;
}

static size_t length(const struct capture_origin *o)
{
    size_t n = (o->chain ? strlen(o->chain) : 0) + (o->parent ? strlen(o->parent) : 0) + 2;
    for (size_t i = 0; i < o->nremoved; i++)
        n += strlen(o->removed[i]) + 1;
    for (size_t i = 0; i < o->nremoved_folders; i++)
        n += strlen(o->removed_folders[i]) + 1;
    return n;
}

static const char *put(char **at, const char *text)
{
    const char *start = *at;
    if (!text)
        return NULL;
    *at = stpcpy(*at, text) + 1;
    return start;
}

static int delta_copy_origin(struct delta *d, const struct capture_origin *from)
{
    struct capture_origin *o = &d->c.origin;
    d->text = malloc(length(from));
    d->names = calloc(from->nremoved + from->nremoved_folders + 1, sizeof(*d->names));
    if (!d->text || !d->names)
        return -ENOMEM;
    char *at = d->text, **names = d->names;
    *o = *from;
    o->chain = put(&at, from->chain);
    o->parent = put(&at, from->parent);
    o->removed = (const char *const *)names;
    for (size_t i = 0; i < from->nremoved; i++)
        *names++ = (char *)put(&at, from->removed[i]);
    o->removed_folders = (const char *const *)names;
    for (size_t i = 0; i < from->nremoved_folders; i++)
        *names++ = (char *)put(&at, from->removed_folders[i]);
    o->selection = d->whole->origin.selection;
    return 0;
}

int delta_new(struct capture *whole, const bool *in, const struct capture_origin *origin,
              struct capture **out)
{
    struct delta *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    atomic_init(&d->c.refs, 1);
    d->c.ops = &delta_ops;
    d->c.record = *capture_record(whole);
    d->c.left_out = whole->left_out;
    d->c.links = whole->links;
    d->c.nlinks = whole->nlinks;
    d->whole = capture_ref(whole);
    int r = delta_choose(d, in);
    if (r == 0)
        r = delta_copy_origin(d, origin);
    if (r < 0) {
        delta_free(&d->c);
        return r;
    }
    *out = &d->c;
    return 0;
}
