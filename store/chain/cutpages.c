/* SPDX-License-Identifier: MIT */
#include "store/chain/cutpages.h"

#include "store/base/arena.h"
#include "store/base/array.h"
#include "store/base/lock.h"
#include "store/base/path.h"
#include "store/chain/cuts_internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 128        /* entries */
#define PAGES_KEPT 16   /* read, though nobody holds them */
#define FOUND_KEPT 4096 /* sums that are found before the catalogue is written to */

struct held_page {
    struct cutpage page;
    unsigned refs;      /* guarded by the lock */
    struct arena paths; /* of the entries */
    struct cut_entry entries[PAGE];
    struct member members[PAGE];
};

/* Sums of a page that the catalogue does not have yet. */
struct found {
    struct catalog_retained sums[PAGE];
};

struct cutpages {
    struct cuts *cuts;
    const struct cutuse *use; /* NULL: the stream stays */
    bool sums;                /* the catalogue is asked for them */
    atomic_bool tired;        /* it is to rest */
    size_t n, files, npages;
    const char **marks;                 /* the path with which each page begins */
    struct arena paths;                 /* of the marks */
    pthread_mutex_t lock;               /* guards all below, and the sums in pages */
    struct cutstream *stream;           /* NULL: it rests */
    size_t next;                        /* the page with which the stream goes on; SIZE_MAX: none */
    struct held_page *kept[PAGES_KEPT]; /* those used last, the last one first */
    struct found **found;               /* of each page; NULL: none */
    size_t nfound;
};

static int cutpages_mark(struct cutpages *p, const char *path)
{
    const char *own =
        array_grow(&p->marks, p->npages) ? arena_text(&p->paths, path, strlen(path)) : NULL;
    if (!own)
        return -ENOMEM;
    p->marks[p->npages++] = own;
    return 0;
}

/* Counts all, and marks where pages begin. */
static int cutpages_count_all(struct cutpages *p, struct err *e)
{
    const struct cut_entry *entry;
    int r;
    while ((r = cutstream_next(p->stream, &entry, e)) == 0 && entry) {
        if (p->n % PAGE == 0 && (r = cutpages_mark(p, entry->path)) < 0)
            return err_sys(e, r, "cuts");
        p->n++;
        p->files += !cut_is_folder(entry);
    }
    if (r == 0 && !(p->found = calloc(p->npages + 1, sizeof(*p->found))))
        r = err_sys(e, -ENOMEM, "cuts");
    return r;
}

int cutpages_new(struct cuts *c, struct cutstream *s, struct cutpages **out, struct err *e)
{
    struct cutpages *p = calloc(1, sizeof(*p));
    if (!p) {
        cutstream_free(s);
        return err_sys(e, -ENOMEM, "cuts");
    }
    p->cuts = c;
    p->sums = true;
    p->stream = s;
    p->next = SIZE_MAX;
    pthread_mutex_init(&p->lock, NULL);
    int r = cutpages_count_all(p, e);
    if (r < 0)
        cutpages_free(p);
    else
        *out = p;
    return r;
}

int cutpages_of(const struct cutuse *u, bool sums, struct cutpages **out, struct err *e)
{
    struct cutstream *s = NULL;
    int r = cutuse_stream(u, &s, e);
    if (r == 0)
        r = cutpages_new(cutuse_cuts(u), s, out, e);
    if (r < 0)
        return r;
    (*out)->use = u;
    (*out)->sums = sums;
    return 0;
}

/* The lock is held. */
static void cutpages_close(struct cutpages *p)
{
    cutstream_free(p->stream);
    p->stream = NULL;
    p->next = SIZE_MAX;
}

void cutpages_rest(struct cutpages *p)
{
    if (!p->use)
        return;
    atomic_store(&p->tired, true);
    if (pthread_mutex_trylock(&p->lock) != 0)
        return;
    if (atomic_exchange(&p->tired, false))
        cutpages_close(p);
    pthread_mutex_unlock(&p->lock);
}

/* The lock is held, unless it is the last reference. */
static void page_unref(struct held_page *h)
{
    if (!h || --h->refs > 0)
        return;
    arena_free(&h->paths);
    free(h);
}

void cutpages_free(struct cutpages *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < PAGES_KEPT; i++)
        page_unref(p->kept[i]);
    for (size_t k = 0; p->found && k < p->npages; k++)
        free(p->found[k]);
    free(p->found);
    free(p->marks);
    arena_free(&p->paths);
    cutstream_free(p->stream);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

size_t cutpages_count(const struct cutpages *p)
{
    return p->n;
}

size_t cutpages_files(const struct cutpages *p)
{
    return p->files;
}

static int cutpages_add(struct held_page *h, const struct cut_entry *entry)
{
    const char *path = arena_text(&h->paths, entry->path, strlen(entry->path));
    if (!path)
        return -ENOMEM;
    h->entries[h->page.n] = *entry;
    h->entries[h->page.n].path = path;
    h->members[h->page.n++] =
        (struct member){.dir = "", .name = path, .attr = entry->attr, .index = entry->index};
    return 0;
}

/* The sums that the manifests lack. */
static int cutpages_learn(struct cutpages *p, struct held_page *h)
{
    autofree struct catalog_retained *known = NULL;
    const struct found *found = p->found[h->page.first / PAGE];
    int r =
        p->sums && p->cuts->snapshots ? cuts_known_sums(p->cuts, h->entries, h->page.n, &known) : 0;
    for (size_t i = 0; r == 0 && i < h->page.n; i++) {
        struct cut_entry *e = &h->entries[i];
        const struct catalog_retained *s = found && found->sums[i].have_sum ? &found->sums[i]
                                           : known                          ? &known[i]
                                                                            : NULL;
        if (e->have_sum || !s || !s->have_sum || cut_is_folder(e))
            continue;
        e->have_sum = true;
        memcpy(e->sum, s->sum, SHA256_BYTES);
    }
    return r;
}

/* Reads page k as it was when pages were counted. */
static int cutpages_read(struct cutpages *p, size_t k, struct held_page *h, struct err *e)
{
    const struct cut_entry *entry;
    const size_t left = p->n - k * PAGE, want = left < PAGE ? left : PAGE;
    int r = p->stream ? 0 : cutuse_stream(p->use, &p->stream, e);
    if (r == 0 && p->next != k)
        r = cutstream_restart(p->stream, p->marks[k], e);
    p->next = SIZE_MAX;
    while (r == 0 && h->page.n < want) {
        if ((r = cutstream_next(p->stream, &entry, e)) < 0)
            return r;
        if (!entry || (h->page.n == 0 && strcmp(entry->path, p->marks[k]) != 0))
            return err_set(e, -EBADMSG,
                           "the manifests of the cuts have changed while they were read");
        if ((r = cutpages_add(h, entry)) < 0)
            err_sys(e, r, "cuts");
    }
    if (r == 0 && (r = cutpages_learn(p, h)) < 0)
        err_sys(e, r, "cuts");
    if (r == 0)
        p->next = k + 1;
    return r;
}

/* Makes it the one used last; the page that was not for longest goes. */
static void cutpages_keep(struct cutpages *p, struct held_page *h, size_t from)
{
    if (from == PAGES_KEPT) {
        page_unref(p->kept[--from]);
        h->refs++;
    }
    memmove(&p->kept[1], &p->kept[0], from * sizeof(*p->kept));
    p->kept[0] = h;
}

/* Page k, with a reference. The lock is held. */
static int cutpages_load(struct cutpages *p, size_t k, struct held_page **out, struct err *e)
{
    size_t i = 0;
    while (i < PAGES_KEPT && !(p->kept[i] && p->kept[i]->page.first == k * PAGE))
        i++;
    struct held_page *h = i < PAGES_KEPT ? p->kept[i] : calloc(1, sizeof(*h));
    if (!h)
        return err_sys(e, -ENOMEM, "cuts");
    h->refs++;
    if (i == PAGES_KEPT) {
        h->page = (struct cutpage){k * PAGE, 0, h->entries, h->members, p};
        int r = cutpages_read(p, k, h, e);
        if (r < 0) {
            page_unref(h);
            return r;
        }
    }
    cutpages_keep(p, h, i);
    *out = h;
    return 0;
}

int cutpages_get(struct cutpages *p, size_t i, struct cutpage **out, struct err *e)
{
    struct held_page *h = NULL;
    lock_scope(&p->lock);
    int r = cutpages_load(p, i / PAGE, &h, e);
    if (r == 0)
        *out = &h->page;
    if (atomic_exchange(&p->tired, false))
        cutpages_close(p);
    return r;
}

void cutpage_put(struct cutpage *page)
{
    if (!page)
        return;
    lock_scope(&page->of->lock);
    page_unref((struct held_page *)page);
}

/* Paths that come before what is sought: before the path, and, with below, it and what is below it. */
struct sought {
    const char *path;
    bool below;
};

static bool cutpages_is_before(const char *path, const struct sought *s)
{
    return cut_path_cmp(path, s->path) < 0 || (s->below && path_below(path, s->path));
}

static bool is_mark_before(const void *mark, const void *key)
{
    return cutpages_is_before(*(const char *const *)mark, key);
}

static bool is_entry_before(const void *entry, const void *key)
{
    return cutpages_is_before(((const struct cut_entry *)entry)->path, key);
}

static int cutpages_find(struct cutpages *p, const struct sought *s, size_t *out, struct err *e)
{
    cleanup(cutpage_putp) struct cutpage *page = NULL;
    const size_t k = array_bisect(p->marks, p->npages, sizeof(*p->marks), s, is_mark_before);
    *out = 0;
    if (k == 0)
        return 0;
    int r = cutpages_get(p, (k - 1) * PAGE, &page, e);
    if (r == 0)
        *out = page->first +
               array_bisect(page->entries, page->n, sizeof(*page->entries), s, is_entry_before);
    return r;
}

int cutpages_at(struct cutpages *p, const char *path, size_t *out, struct err *e)
{
    return cutpages_find(p, &(struct sought){path, false}, out, e);
}

int cutpages_after(struct cutpages *p, const char *folder, size_t *out, struct err *e)
{
    return cutpages_find(p, &(struct sought){folder, true}, out, e);
}

bool cutpage_sum(struct cutpage *page, size_t i, uint8_t out[SHA256_BYTES])
{
    const struct cut_entry *e = cutpage_entry(page, i);
    lock_scope(&page->of->lock);
    if (e->have_sum)
        memcpy(out, e->sum, SHA256_BYTES);
    return e->have_sum;
}

static void cutpages_note(struct cutpages *p, const struct cutpage *page, size_t at)
{
    struct found **f = &p->found[page->first / PAGE];
    const struct cut_entry *e = &page->entries[at];
    if (!*f && !(*f = calloc(1, sizeof(**f))))
        return; /* it is found again */
    struct catalog_retained *s = &(*f)->sums[at];
    *s = (struct catalog_retained){.serial = e->place.serial,
                                   .seq = e->place.seq,
                                   .have_sum = true,
                                   .ino = e->ino,
                                   .size = e->attr.size,
                                   .mtime_ns = e->attr.mtime_ns};
    memcpy(s->sum, e->sum, SHA256_BYTES);
    p->nfound++;
}

/* A page may be read again while somebody still holds the one from before: what counts is the one that
 * others get. */
static struct held_page *cutpages_newest(struct cutpages *p, struct cutpage *page)
{
    for (size_t i = 0; i < PAGES_KEPT; i++)
        if (p->kept[i] && p->kept[i]->page.first == page->first)
            return p->kept[i];
    return (struct held_page *)page;
}

void cutpage_set_sum(struct cutpage *page, size_t i, const uint8_t sum[SHA256_BYTES])
{
    struct cutpages *p = page->of;
    pthread_mutex_lock(&p->lock);
    struct cutpage *newest = &cutpages_newest(p, page)->page;
    struct cut_entry *e = &newest->entries[i - page->first];
    if (!e->have_sum) {
        e->have_sum = true;
        memcpy(e->sum, sum, SHA256_BYTES);
        cutpages_note(p, newest, i - page->first);
    }
    const bool full = p->nfound && p->nfound % FOUND_KEPT == 0;
    pthread_mutex_unlock(&p->lock);
    if (full)
        cutpages_keep_sums(p, NULL);
}

/* Those that were found, one after the other. */
static size_t cutpages_collect(const struct cutpages *p, struct catalog_retained *out)
{
    size_t n = 0;
    for (size_t k = 0; k < p->npages; k++)
        for (size_t i = 0; p->found[k] && i < PAGE; i++)
            if (p->found[k]->sums[i].have_sum)
                out[n++] = p->found[k]->sums[i];
    return n;
}

int cutpages_keep_sums(struct cutpages *p, struct err *e)
{
    lock_scope(&p->lock);
    if (p->nfound == 0)
        return 0;
    autofree struct catalog_retained *sums = calloc(p->nfound, sizeof(*sums));
    if (!sums)
        return err_sys(e, -ENOMEM, "cuts");
    const size_t n = cutpages_collect(p, sums);
    int r = catalog_put_retained(snapshots_catalog(p->cuts->snapshots), sums, n, e);
    for (size_t k = 0; r == 0 && k < p->npages; k++) {
        free(p->found[k]);
        p->found[k] = NULL;
    }
    p->nfound = r == 0 ? 0 : p->nfound;
    return r;
}
