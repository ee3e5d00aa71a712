/* SPDX-License-Identifier: MIT */
#include "store/snapshot/capture.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/snapshot/capture_internal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct capture *capture_ref(struct capture *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void capture_unref(struct capture *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    for (size_t i = 0; i < c->n; i++)
        free(c->members[i].cut);
    for (size_t i = 0; i < c->nstrings; i++)
        free(c->strings[i]);
    for (size_t i = 0; i < c->nsets; i++)
        shard_set_unref(c->sets[i].set);
    for (size_t i = 0; i < c->nholds; i++)
        held_put(c->holds[i]);
    window_free(&c->window);
    free(c->sets);
    free(c->holds);
    free(c->members);
    free(c->strings);
    free(c->left_out);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

size_t capture_count(const struct capture *c)
{
    return c->n;
}

const struct member *capture_member(const struct capture *c, size_t i)
{
    return &c->members[i];
}

const struct catalog_record *capture_record(const struct capture *c)
{
    return &c->record;
}

size_t capture_left_out(const struct capture *c)
{
    return c->nleft_out;
}

const char *capture_left_out_at(const struct capture *c, size_t i)
{
    return c->left_out[i];
}

size_t member_path_len(const struct member *m)
{
    return strlen(m->dir) + (*m->dir ? 1 : 0) + strlen(m->name);
}

char *member_path(const struct member *m, char *buf)
{
    char *p = stpcpy(buf, m->dir);
    if (*m->dir)
        *p++ = '/';
    strcpy(p, m->name);
    return buf;
}

bool capture_sum(const struct capture *cc, size_t i, uint8_t out[SHA256_BYTES])
{
    struct capture *c = (struct capture *)cc;
    const struct member *m = &c->members[i];
    if (!m->held)
        return false;
    if (!m->cut)
        return held_sum(m->held, &m->attr, out);
    pthread_mutex_lock(&c->lock);
    bool have = m->cut->have_sum;
    if (have)
        memcpy(out, m->cut->sum, SHA256_BYTES);
    pthread_mutex_unlock(&c->lock);
    return have;
}

void capture_know_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    const struct member *m = &c->members[i];
    if (!m->cut) {
        held_set_sum(m->held, &m->attr, sum);
        return;
    }
    pthread_mutex_lock(&c->lock);
    memcpy(m->cut->sum, sum, SHA256_BYTES);
    m->cut->have_sum = true;
    pthread_mutex_unlock(&c->lock);
}

void capture_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    capture_know_sum(c, i, sum);
    pthread_mutex_lock(&c->lock);
    c->sums_to_keep = true;
    pthread_mutex_unlock(&c->lock);
}

static int read_part(const struct member *m, void *buf, size_t n, uint64_t off, struct err *e)
{
    int r = held_read(m->held, buf, n, off);
    if (r == -ENODATA)
        return err_set(e, -EIO, "%s/%s: the file became shorter while it was captured", m->dir,
                       m->name);
    if (r < 0) {
        err_sys(e, r, "%s/%s", m->dir, m->name);
        return -EIO;
    }
    return 0;
}

int capture_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                 struct err *e)
{
    const struct member *m = &c->members[i];
    if (!m->cut)
        return read_part(m, buf, n, off, e);
    for (size_t k = 0; k < m->cut->nparts && n > 0; k++) {
        uint64_t start = m->cut->part[k].off, len = m->cut->part[k].len;
        if (off >= len) {
            off -= len;
            continue;
        }
        size_t take_n = n < len - off ? n : (size_t)(len - off);
        int r = read_part(m, buf, take_n, start + off, e);
        if (r < 0)
            return r;
        buf = (char *)buf + take_n;
        n -= take_n;
        off = 0;
    }
    return 0;
}
