/* SPDX-License-Identifier: MIT */
#include "store/snapshot/tarball.h"

#include "store/base/lock.h"
#include "store/base/processors.h"
#include "store/snapshot/inorder.h"
#include "store/snapshot/listing.h"
#include "store/snapshot/tarhead.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

/* Entries: 0 is the manifest, 1 to n the capture's members, n+1 SHA256SUMS, n+2 the end. */
struct tarball {
    atomic_uint refs;
    struct tarball_weak *weak; /* the weak reference to it; may be NULL */
    struct capture *capture;
    struct hash_job *job;
    struct layout *layout;
    struct listing *manifest, *sums;
    struct inorder readers;
    uint64_t members, last, end; /* where the members, SHA256SUMS and the end stand */
    pthread_mutex_t lock;
    uint64_t front; /* everything before it has been read, by readers in order */
    bool have_sum;
    uint8_t sum[SHA256_BYTES]; /* of the manifest */
};

/* Path and attributes of an entry, as its header tells them. NULL: it cannot be read. */
static const char *tarball_describe(const struct tarball *t, size_t i, char path[MEMBER_PATH_MAX],
                                    struct file_attr *attr, struct err *e)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const size_t n = capture_count(t->capture), wanted = i > 0 && i <= n ? i - 1 : 0;
    const struct member *m = n ? capture_look(t->capture, wanted, &look, e) : NULL;
    if (n && !m)
        return NULL;
    if (i > 0 && i <= n) {
        *attr = m->attr;
        return member_path(m, path);
    }
    /* The two texts belong to the owner of the meta folder: they reveal as much as it does. */
    *attr = (struct file_attr){
        .size = listing_size(i == 0 ? t->manifest : t->sums),
        .mtime_ns = capture_record(t->capture)->created_ns,
        .mode = S_IFREG | 0400,
        .uid = m ? m->attr.uid : 0,
        .gid = m ? m->attr.gid : 0,
    };
    return i == 0 ? "manifest" : "SHA256SUMS";
}

/* An entry and where it stands: its header, and what follows its body. */
struct place {
    size_t entry;
    uint64_t at, end;
};

/* It cannot be found out. */
static const struct place nowhere = {SIZE_MAX, UINT64_MAX, UINT64_MAX};

static bool is_nowhere(const struct place *p)
{
    return p->entry == nowhere.entry;
}

/* The entry that holds byte off, which is before the end. */
static struct place place_at(const struct tarball *t, uint64_t off)
{
    struct layout_place p;
    if (off < t->members)
        return (struct place){0, 0, t->members};
    if (off >= t->last)
        return (struct place){capture_count(t->capture) + 1, t->last, t->end};
    if (layout_find(t->layout, IN_TAR, off - t->members, &p) < 0)
        return nowhere;
    return (struct place){p.i + 1, t->members + p.at, t->members + p.at + p.len};
}

static struct place place_next(const struct tarball *t, const struct place *p)
{
    const size_t i = p->entry + 1;
    uint64_t len;
    if (i > capture_count(t->capture))
        return (struct place){i, t->last, t->end};
    if (layout_length(t->layout, IN_TAR, i - 1, &len) < 0)
        return nowhere;
    return (struct place){i, p->end, p->end + len};
}

/* The length of one of the two texts with its header. */
static int tarball_measure(const struct tarball *t, size_t i, uint64_t *out)
{
    char path[MEMBER_PATH_MAX];
    struct file_attr attr;
    const char *name = tarball_describe(t, i, path, &attr, NULL);
    const int head = name ? tarhead_len(name, &attr) : -EIO;
    if (head < 0)
        return head;
    *out = (uint64_t)head + tar_round_up(attr.size);
    return 0;
}

static int tarball_lay_out(struct tarball *t)
{
    uint64_t sums;
    int r = tarball_measure(t, 0, &t->members);
    if (r == 0)
        r = tarball_measure(t, capture_count(t->capture) + 1, &sums);
    if (r < 0)
        return r;
    t->last = t->members + layout_size(t->layout, IN_TAR);
    t->end = t->last + sums;
    return 0;
}

static int tarball_sum_listing(const struct listing *l, uint8_t sum[SHA256_BYTES])
{
    char buf[65536];
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return -ENOMEM;
    for (uint64_t at = 0; at < listing_size(l);) {
        uint64_t left = listing_size(l) - at;
        size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);
        int r = listing_read(l, buf, n, at);
        if (r < 0)
            return r;
        sha256_add(h, buf, n);
        at += n;
    }
    sha256_end(h, sum);
    return 0;
}

/* Found at its first use: most look-ups never read that far. */
static int manifest_sum(void *ctx, uint8_t sum[SHA256_BYTES])
{
    struct tarball *t = ctx;
    lock_scope(&t->lock);
    int r = t->have_sum ? 0 : tarball_sum_listing(t->manifest, t->sum);
    t->have_sum = r == 0;
    if (r == 0)
        memcpy(sum, t->sum, SHA256_BYTES);
    return r;
}

static int tarball_fill(struct tarball *t, struct hasher *h)
{
    int r = layout_new(t->capture, &t->layout);
    if (r == 0)
        r = listing_manifest(t->capture, t->layout, &t->manifest);
    if (r == 0)
        r = listing_sums(t->capture, t->layout, manifest_sum, t, &t->sums);
    if (r == 0)
        r = tarball_lay_out(t);
    if (r == 0)
        r = hash_job_new(h, t->capture, &t->job);
    return r;
}

static void tarball_free(struct tarball *t)
{
    hash_job_free(t->job);
    listing_free(t->manifest);
    listing_free(t->sums);
    layout_free(t->layout);
    capture_unref(t->capture);
    inorder_clear(&t->readers);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

int tarball_new(struct hasher *h, struct capture *c, struct tarball **out)
{
    struct tarball *t = calloc(1, sizeof(*t));
    if (!t) {
        capture_unref(c);
        return -ENOMEM;
    }
    atomic_init(&t->refs, 1);
    pthread_mutex_init(&t->lock, NULL);
    inorder_init(&t->readers);
    t->capture = c;
    int r = tarball_fill(t, h);
    if (r < 0) {
        tarball_free(t);
        return r;
    }
    *out = t;
    return 0;
}

struct tarball *tarball_ref(struct tarball *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void tarball_unref(struct tarball *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) > 1)
        return;
    if (t->weak) {
        lock_scope(&t->weak->lock);
        if (t->weak->to == t)
            t->weak->to = NULL;
    }
    tarball_free(t);
}

void tarball_weak_set(struct tarball_weak *w, struct tarball *t)
{
    t->weak = w;
    lock_scope(&w->lock);
    w->to = t;
}

/* The release of the last reference waits for this lock before it frees the tarball. */
struct tarball *tarball_weak_ref(struct tarball_weak *w)
{
    lock_scope(&w->lock);
    struct tarball *t = w->to;
    unsigned n = t ? atomic_load(&t->refs) : 0;
    while (n > 0 && !atomic_compare_exchange_weak(&t->refs, &n, n + 1))
        ;
    return n > 0 ? t : NULL;
}

struct capture *tarball_capture(const struct tarball *t)
{
    return t->capture;
}

uint64_t tarball_size(const struct tarball *t)
{
    return t->end + TAR_END;
}

int64_t tarball_mtime_ns(const struct tarball *t)
{
    return capture_record(t->capture)->created_ns;
}

size_t tarball_begun(const struct tarball *t, uint64_t off)
{
    const size_t n = capture_count(t->capture);
    if (off == 0 || off > t->end)
        return off ? n : 0;
    const struct place p = place_at(t, off - 1);
    return p.entry < n ? p.entry : n;
}

static int tarball_read_head(const struct tarball *t, const struct place *p, char *buf, size_t n,
                             uint64_t off, struct err *e)
{
    char head[TARHEAD_MAX], path[MEMBER_PATH_MAX];
    struct file_attr attr;
    const char *name = tarball_describe(t, p->entry, path, &attr, e);
    int len = name ? tarhead_write(name, &attr, head) : -EIO;
    if (len < 0)
        return len;
    if ((uint64_t)len + tar_round_up(attr.size) != p->end - p->at)
        return -EIO;
    memcpy(buf, head + off, n);
    return 0;
}

static int wait_sums(const struct tarball *t, size_t first, size_t end,
                     const struct tarball_reader *reader, struct err *e)
{
    return hash_job_wait(t->job, first, end, reader ? reader->interrupted : NULL,
                         reader ? reader->ctx : NULL, e);
}

int tarball_wait_sums(struct tarball *t, uint64_t from, uint64_t to,
                      const struct tarball_reader *reader, struct err *e)
{
    return wait_sums(t, tarball_begun(t, from), tarball_begun(t, to), reader, e);
}

static int read_sums(const struct tarball *t, char *buf, size_t n, uint64_t off,
                     const struct tarball_reader *reader, struct err *e)
{
    size_t first, end;
    int r = listing_members(t->sums, off, n, &first, &end);
    if (r == 0)
        r = wait_sums(t, first, end, reader, e);
    return r < 0 ? r : listing_read(t->sums, buf, n, off);
}

static int read_body(const struct tarball *t, size_t i, char *buf, size_t n, uint64_t off,
                     const struct tarball_reader *reader, struct err *e)
{
    if (i == 0)
        return listing_read(t->manifest, buf, n, off);
    if (i > capture_count(t->capture))
        return read_sums(t, buf, n, off, reader, e);
    return capture_read(t->capture, i - 1, buf, n, off, e);
}

/* Reads from one region (header, body or padding) of the entry, and says how much. */
static ssize_t tarball_read_region(const struct tarball *t, const struct place *p, char *buf,
                                   size_t n, uint64_t rel, const struct tarball_reader *reader,
                                   struct err *e)
{
    char path[MEMBER_PATH_MAX];
    struct file_attr attr;
    const char *name = tarball_describe(t, p->entry, path, &attr, e);
    if (!name)
        return -EIO;
    uint64_t whole = p->end - p->at;
    uint64_t head = whole - tar_round_up(attr.size), end;
    int r = 0;
    if (rel < head)
        end = head;
    else if (rel < head + attr.size)
        end = head + attr.size;
    else
        end = whole;
    if (n > end - rel)
        n = (size_t)(end - rel);
    if (rel < head)
        r = tarball_read_head(t, p, buf, n, rel, e);
    else if (rel < head + attr.size)
        r = read_body(t, p->entry, buf, n, rel - head, reader, e);
    else
        memset(buf, 0, n);
    if (r < 0 && e && !e->text[0])
        err_sys(e, r, "%s", name);
    return r < 0 ? r : (ssize_t)n;
}

bool tarball_is_ready(const struct tarball *t, size_t n, uint64_t off)
{
    return off + n <= t->last && (hash_job_idle(t->job) || processors_spare() >= 0);
}

/* Has the bytes of files in [from, to) fetched from the disk: what the kernel reads ahead by itself ends
 * with each file. */
static void tarball_advise(const struct tarball *t, uint64_t from, uint64_t to)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    from = from > t->members ? from : t->members;
    to = to < t->last ? to : t->last;
    if (from >= to)
        return;
    for (struct place p = place_at(t, from); p.at < to; p = place_next(t, &p)) {
        const struct member *m = capture_look(t->capture, p.entry - 1, &look, NULL);
        if (!m)
            return; /* reading says why */
        const uint64_t size = m->attr.size;
        const uint64_t body = p.end - tar_round_up(size);
        const uint64_t begin = from > body ? from - body : 0, end = to > body ? to - body : 0;
        if (begin < end && begin < size)
            capture_advise(t->capture, p.entry - 1, (end < size ? end : size) - begin, begin);
    }
}

/* Lets the hasher follow a reader that continues where in-order reading had stopped. */
static void tarball_follow(struct tarball *t, uint64_t from, uint64_t to)
{
    pthread_mutex_lock(&t->lock);
    bool on = from <= t->front && to > t->front;
    if (on)
        t->front = to;
    pthread_mutex_unlock(&t->lock);
    if (!on)
        return;
    if (to < t->members)
        return;
    if (to >= t->last) {
        hash_job_follow(t->job, capture_count(t->capture), 0);
        return;
    }
    const struct place p = place_at(t, to);
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m =
        is_nowhere(&p) ? NULL : capture_look(t->capture, p.entry - 1, &look, NULL);
    if (!m)
        return;
    uint64_t body = p.end - tar_round_up(m->attr.size);
    hash_job_follow(t->job, p.entry - 1, to > body ? to - body : 0);
}

ssize_t tarball_read(struct tarball *t, void *buf, size_t n, uint64_t off,
                     const struct tarball_reader *reader, struct err *e)
{
    uint64_t size = tarball_size(t);
    if (off >= size)
        return 0;
    if (n > size - off)
        n = (size_t)(size - off);
    uint64_t at = off, end = off + n, entries = end < t->end ? end : t->end, soon, until;
    if (inorder_read(&t->readers, n, off, &soon, &until))
        tarball_advise(t, soon, until);
    struct place p = at < t->end ? place_at(t, at) : (struct place){0};
    while (at < entries) {
        if (is_nowhere(&p))
            return err_set(e, -EIO, "the place of byte %" PRIu64 " of the tar", at);
        ssize_t r = tarball_read_region(t, &p, (char *)buf + (at - off), (size_t)(entries - at),
                                        at - p.at, reader, e);
        if (r < 0)
            return r;
        at += (uint64_t)r;
        if (at == p.end && at < entries)
            p = place_next(t, &p);
    }
    memset((char *)buf + (at - off), 0, (size_t)(end - at));
    tarball_follow(t, off, end);
    return (ssize_t)n;
}
