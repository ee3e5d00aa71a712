/* SPDX-License-Identifier: MIT */
#include "fs/textmarks.h"

#include "store/base/array.h"
#include "store/base/lock.h"

#include <stdlib.h>
#include <utlist.h>

struct mark {
    uint64_t at;
    size_t n;
    char *bytes;
};

/* The marks of one text. */
struct marked {
    uint8_t text[SHA256_BYTES];
    struct mark *list; /* ascending */
    size_t n;
    uint64_t apart;
    struct marked *prev, *next;
};

struct textmarks {
    size_t budget, used; /* bytes */
    uint64_t apart;
    pthread_mutex_t lock;
    struct marked *texts; /* the one used last first */
};

struct textmarks *textmarks_new(size_t budget, uint64_t apart)
{
    struct textmarks *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->budget = budget;
    m->apart = apart;
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

static void marked_drop(struct textmarks *m, struct marked *t)
{
    DL_DELETE(m->texts, t);
    for (size_t i = 0; i < t->n; i++) {
        m->used -= sizeof(struct mark) + t->list[i].n;
        free(t->list[i].bytes);
    }
    m->used -= sizeof(*t);
    free(t->list);
    free(t);
}

void textmarks_free(struct textmarks *m)
{
    if (!m)
        return;
    while (m->texts)
        marked_drop(m, m->texts);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* NULL: the text has no marks. Called with the lock, as are all that follow. */
static struct marked *textmarks_find(struct textmarks *m, const uint8_t text[SHA256_BYTES])
{
    struct marked *t = m->texts;
    while (t && memcmp(t->text, text, SHA256_BYTES) != 0)
        t = t->next;
    if (t) {
        DL_DELETE(m->texts, t);
        DL_PREPEND(m->texts, t);
    }
    return t;
}

static bool mark_is_up_to(const void *item, const void *at)
{
    return ((const struct mark *)item)->at <= *(const uint64_t *)at;
}

/* The number of marks at or before the offset. */
static size_t textmarks_count(const struct marked *t, uint64_t at)
{
    return array_bisect(t->list, t->n, sizeof(*t->list), &at, mark_is_up_to);
}

/* A mark that lies between two is nearer to the one before it at most half the distance. */
static bool textmarks_has_gap(const struct textmarks *m, const struct marked *t, uint64_t at)
{
    if (!t)
        return at >= m->apart;
    size_t i = textmarks_count(t, at);
    uint64_t before = i > 0 ? t->list[i - 1].at : 0;
    return at - before >= t->apart && (i == t->n || t->list[i].at - at >= t->apart / 2);
}

bool textmarks_wanted(struct textmarks *m, const uint8_t text[SHA256_BYTES], uint64_t at)
{
    lock_scope(&m->lock);
    return textmarks_has_gap(m, textmarks_find(m, text), at);
}

static void textmarks_thin(struct textmarks *m, struct marked *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (i % 2) {
            t->list[kept++] = t->list[i];
            continue;
        }
        m->used -= sizeof(struct mark) + t->list[i].n;
        free(t->list[i].bytes);
    }
    t->n = kept;
    t->apart *= 2;
}

/* Whether there is room for n bytes more, by what others or t itself can do without. */
static bool textmarks_make_room(struct textmarks *m, struct marked *t, size_t n)
{
    if (sizeof(*t) + n > m->budget)
        return false;
    while (m->used + n > m->budget && m->texts->prev != t)
        marked_drop(m, m->texts->prev);
    while (m->used + n > m->budget && t->n > 0)
        textmarks_thin(m, t);
    return m->used + n <= m->budget;
}

static struct marked *textmarks_add(struct textmarks *m, const uint8_t text[SHA256_BYTES])
{
    struct marked *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    memcpy(t->text, text, SHA256_BYTES);
    t->apart = m->apart;
    m->used += sizeof(*t);
    DL_PREPEND(m->texts, t);
    return t;
}

static void textmarks_insert(struct textmarks *m, struct marked *t, uint64_t at, const void *bytes,
                             size_t n)
{
    char *copy = malloc(n + 1);
    if (!copy || !array_grow(&t->list, t->n)) {
        free(copy);
        return;
    }
    memcpy(copy, bytes, n);
    size_t i = textmarks_count(t, at);
    memmove(&t->list[i + 1], &t->list[i], (t->n - i) * sizeof(*t->list));
    t->list[i] = (struct mark){at, n, copy};
    t->n++;
    m->used += sizeof(struct mark) + n;
}

void textmarks_keep(struct textmarks *m, const uint8_t text[SHA256_BYTES], uint64_t at,
                    const void *bytes, size_t n)
{
    lock_scope(&m->lock);
    struct marked *t = textmarks_find(m, text);
    if (!t && !(t = textmarks_add(m, text)))
        return;
    bool room = textmarks_make_room(m, t, sizeof(struct mark) + n);
    if (room && textmarks_has_gap(m, t, at))
        textmarks_insert(m, t, at, bytes, n);
    else if (!room)
        t->apart *= 2; /* marks so large are not asked for so often */
}

uint64_t textmarks_before(struct textmarks *m, const uint8_t text[SHA256_BYTES], uint64_t before,
                          struct buffer *bytes)
{
    lock_scope(&m->lock);
    const struct marked *t = textmarks_find(m, text);
    size_t i = t ? textmarks_count(t, before) : 0;
    if (i == 0)
        return 0;
    if (!bytes)
        return t->list[i - 1].at;
    buffer_add(bytes, t->list[i - 1].bytes, t->list[i - 1].n);
    if (!bytes->failed)
        return t->list[i - 1].at;
    buffer_free(bytes);
    return 0;
}

void textmarks_drop(struct textmarks *m, const uint8_t text[SHA256_BYTES])
{
    lock_scope(&m->lock);
    struct marked *t = textmarks_find(m, text);
    if (t)
        marked_drop(m, t);
}
