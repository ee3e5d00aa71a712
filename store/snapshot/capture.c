/* SPDX-License-Identifier: MIT */
#include "store/snapshot/capture.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/owner.h"
#include "store/snapshot/capture_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct capture *capture_ref(struct capture *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void capture_unref(struct capture *c)
{
    if (c && atomic_fetch_sub(&c->refs, 1) == 1)
        c->ops->free(c);
}

size_t capture_count(const struct capture *c)
{
    return c->n;
}

const struct member *capture_member(const struct capture *c, size_t i)
{
    size_t at;
    return c->members ? &c->members[i] : &capture_run_of(c, i, &at)->members[at];
}

const struct member *capture_look(const struct capture *c, size_t i, struct capture_look *look,
                                  struct err *e)
{
    if (!c->ops->look)
        return capture_member(c, i);
    if (i - look->first >= look->n) {
        capture_look_end(look);
        if (c->ops->look(c, i, look, e) < 0)
            return NULL;
        look->capture = c;
    }
    return &look->members[i - look->first];
}

void capture_look_end(struct capture_look *look)
{
    if (look->capture)
        look->capture->ops->look_end(look->page);
    *look = (struct capture_look){0};
}

struct member_run *capture_run_of(const struct capture *c, size_t i, size_t *at)
{
    const size_t k = array_bisect_last(c->firsts, c->nruns, i);
    *at = i - c->firsts[k];
    return c->runs[k];
}

int capture_add_run(struct capture *c, struct member_run *r)
{
    if (!array_grow(&c->runs, c->nruns) || !array_grow(&c->firsts, c->nruns)) {
        run_unref(r);
        return -ENOMEM;
    }
    c->runs[c->nruns] = r;
    c->firsts[c->nruns++] = c->n;
    c->n += r->n;
    return 0;
}

void capture_drop_runs(struct capture *c)
{
    for (size_t i = 0; i < c->nruns; i++)
        run_unref(c->runs[i]);
    free(c->runs);
    free(c->firsts);
}

size_t capture_runs(const struct capture *c)
{
    return c->members || c->ops->look ? 1 : c->nruns;
}

/* "data/DB/RP/ID" */
static bool is_of_shard(const char *dir)
{
    int slashes = 0;
    for (const char *p = dir; *p; p++)
        slashes += *p == '/';
    return slashes == 3 && *dir == 'd';
}

struct capture_run capture_run(const struct capture *c, size_t i)
{
    if (c->members || c->ops->look)
        return (struct capture_run){.dir = "", .n = c->n};
    const struct member_run *r = c->runs[i];
    return (struct capture_run){.dir = r->dir,
                                .first = c->firsts[i],
                                .n = r->n,
                                .digest = r->digest,
                                .shard = is_of_shard(r->dir),
                                .listed = r->holds == RUN_LISTED,
                                .files = r->nfiles,
                                .bytes = r->bytes};
}

bool capture_run_at(const struct capture *c, size_t i, struct capture_run *out)
{
    if (c->members || c->ops->look)
        return false;
    *out = capture_run(c, array_bisect_last(c->firsts, c->nruns, i));
    return true;
}

size_t capture_files(const struct capture *c)
{
    size_t n = c->nfiles;
    for (size_t i = 0; i < c->nruns; i++)
        n += c->runs[i]->nfiles;
    for (size_t i = 0; c->members && i < c->n; i++)
        n += !member_is_folder(&c->members[i]);
    return n;
}

const struct catalog_record *capture_record(const struct capture *c)
{
    return &c->record;
}

const struct capture_origin *capture_origin(const struct capture *c)
{
    return &c->origin;
}

const struct omissions *capture_left_out(const struct capture *c)
{
    return c->left_out;
}

const char *const *capture_links(const struct capture *c, size_t *n)
{
    *n = c->nlinks;
    return c->links;
}

bool capture_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    return (c->ops->look || !member_is_folder(capture_member(c, i))) && c->ops->sum(c, i, out);
}

void capture_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    c->ops->set_sum(c, i, sum);
}

bool capture_damaged(const struct capture *c, size_t i)
{
    return c->ops->damaged && !member_is_folder(capture_member(c, i)) && c->ops->damaged(c, i);
}

bool capture_any_damaged(const struct capture *c)
{
    return c->ops->any_damaged ? c->ops->any_damaged(c) : c->ops->damaged != NULL;
}

void capture_set_damaged(struct capture *c, size_t i)
{
    if (c->ops->set_damaged)
        c->ops->set_damaged(c, i);
}

int capture_keep_sums(struct capture *c, struct err *e)
{
    return c->ops->keep_sums(c, e);
}

int capture_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                 struct err *e)
{
    return c->ops->read(c, i, buf, n, off, e);
}

bool capture_takes_advice(const struct capture *c)
{
    return c->ops->advise != NULL;
}

void capture_advise(const struct capture *c, size_t i, size_t n, uint64_t off)
{
    if (c->ops->advise)
        c->ops->advise(c, i, n, off);
}

/* What is told of a capture beside its members. */
static void digest_rest(struct sha256 *h, const struct capture *c)
{
    for (size_t i = 0; i < c->left_out->n; i++) {
        const struct omission *m = &c->left_out->at[i];
        const uint64_t f[] = {m->files, m->bytes, m->why};
        sha256_add(h, m->name, strlen(m->name) + 1);
        sha256_add(h, f, sizeof(f));
    }
    for (size_t i = 0; i < c->nlinks; i++)
        sha256_add(h, c->links[i], strlen(c->links[i]) + 1);
}

int capture_digest(const struct capture *c, uint64_t (*version)(const struct member *m),
                   const void *more, size_t n, uint8_t out[SHA256_BYTES])
{
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return -ENOMEM;
    for (size_t i = 0; i < c->n; i++) {
        const struct member *m = &c->members[i];
        char path[MEMBER_PATH_MAX];
        const char *user = owner_user(m->attr.uid), *group = owner_group(m->attr.gid);
        uint64_t f[] = {m->attr.size, (uint64_t)m->attr.mtime_ns,
                        m->attr.mode, m->attr.uid,
                        m->attr.gid,  version(m)};
        if (member_path_len(m) >= sizeof(path))
            return -ENAMETOOLONG;
        member_path(m, path);
        sha256_add(h, path, strlen(path) + 1);
        sha256_add(h, f, sizeof(f));
        sha256_add(h, user, strlen(user) + 1);
        sha256_add(h, group, strlen(group) + 1);
    }
    digest_rest(h, c);
    if (n)
        sha256_add(h, more, n);
    sha256_end(h, out);
    return 0;
}

int capture_digest_runs(const struct capture *c, uint8_t out[SHA256_BYTES])
{
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return -ENOMEM;
    for (size_t i = 0; i < c->nruns; i++)
        sha256_add(h, c->runs[i]->digest, SHA256_BYTES);
    digest_rest(h, c);
    sha256_end(h, out);
    return 0;
}

static int read_member(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct membersource *s = ctx;
    return capture_read(s->capture, s->member, buf, n, off, e);
}

int membersource_init(struct membersource *s, const struct capture *c, size_t member)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m = capture_look(c, member, &look, NULL);
    char *path = m ? malloc(member_path_len(m) + 1) : NULL;
    if (!path)
        return -ENOMEM;
    s->capture = c;
    s->member = member;
    s->path = member_path(m, path);
    s->source = (struct source){read_member, s, (uint64_t)m->attr.size, path};
    return 0;
}

void membersource_clear(struct membersource *s)
{
    free(s->path);
    s->path = NULL;
}
