/* SPDX-License-Identifier: MIT */
#include "store/points/cursor.h"

#include <errno.h>
#include <stdlib.h>

/* Larger ones are not kept. */
#define SPARE_VALUES 16384
#define SPARE_TEXT ((size_t)256 << 10)

void blockpool_give(struct blockpool *p, struct tsmblock *b)
{
    const size_t room = sizeof(p->spare) / sizeof(p->spare[0]);
    if (b->cap && p->n < room && b->cap <= SPARE_VALUES && b->strings_cap <= SPARE_TEXT) {
        p->spare[p->n] = *b;
        p->spare[p->n++].n = 0;
        *b = (struct tsmblock){0};
    } else {
        tsmblock_free(b);
    }
}

void blockpool_free(struct blockpool *p)
{
    while (p->n > 0)
        tsmblock_free(&p->spare[--p->n]);
}

/* A file's place in time: that of its current value, or of its next block. false: the file has
 * ended. */
static bool place(const struct cursor_blocks *b, int64_t *time, bool *loaded)
{
    *loaded = b->at < b->block.n;
    if (!*loaded && b->next >= b->nentries)
        return false;
    if (*loaded)
        *time = b->block.times[b->at];
    else
        *time = b->taken ? b->resume : b->entries[b->next].min;
    return true;
}

/* Moves b->at to the last value of its time, past values that do not count. */
static void settle(const struct cursor *c, struct cursor_blocks *b)
{
    const struct tsmblock *k = &b->block;
    for (; b->at < k->n; b->at++) {
        int64_t t = k->times[b->at];
        bool repeated = b->at + 1 < k->n && k->times[b->at + 1] == t;
        if (!repeated && t >= c->range.min && t <= c->range.max &&
            !key_deletes_time(b->deleted, b->ndeleted, t))
            return;
    }
}

/* The next values of the block, as many as the window takes; values of one time stay together. */
static int cursor_load_window(const struct cursor *c, struct cursor_blocks *b, struct err *e)
{
    const struct tsmblock *k = c->scratch;
    int r = tsmfile_block(b->file, &b->entries[b->next], c->type, c->scratch, e);
    if (r < 0)
        return r;
    size_t first = b->taken, end = k->n - first > c->window ? first + c->window : k->n;
    while (end < k->n && k->times[end] == k->times[end - 1])
        end++;
    if (tsmblock_copy(&b->block, k, first, end) < 0)
        return err_sys(e, -ENOMEM, "%s", tsmfile_name(b->file));
    b->taken = end < k->n ? end : 0;
    if (b->taken)
        b->resume = k->times[end];
    else
        b->next++;
    return 0;
}

static int cursor_load_block(const struct cursor *c, struct cursor_blocks *b, struct err *e)
{
    int r = tsmfile_block(b->file, &b->entries[b->next], c->type, &b->block, e);
    if (r == 0)
        b->next++;
    return r;
}

/* Leaves out an unreadable block, if allowed. */
static int cursor_leave_block(const struct cursor *c, struct cursor_blocks *b, int code,
                              struct err *e)
{
    const struct tsmfile_entry *entry = &b->entries[b->next];
    int r = gaps_block(c->gaps, c->key, entry->min, entry->max, code, e);
    if (r < 0)
        return r;
    b->next++;
    b->taken = 0;
    b->block.n = 0;
    return 0;
}

static int cursor_load(const struct cursor *c, struct cursor_blocks *b, struct err *e)
{
    if (c->pool && c->pool->n > 0 && !b->block.cap)
        b->block = c->pool->spare[--c->pool->n];
    int r = c->window ? cursor_load_window(c, b, e) : cursor_load_block(c, b, e);
    if (r == -EBADMSG)
        r = cursor_leave_block(c, b, r, e);
    if (r < 0)
        return r;
    b->at = 0;
    settle(c, b);
    return 0;
}

/* Frees the memory of a file that has ended. */
static void retire(const struct cursor *c, struct cursor_blocks *b)
{
    if (b->at < b->block.n || b->next < b->nentries)
        return;
    if (c->pool)
        blockpool_give(c->pool, &b->block);
    else
        tsmblock_free(&b->block);
}

/* The earliest time with a value in any file, its blocks loaded; *any false: none. */
static int cursor_earliest(struct cursor *c, int64_t *time, bool *any, struct err *e)
{
    for (;;) {
        struct cursor_blocks *first = NULL;
        bool first_loaded = false, loaded;
        int64_t t;
        for (size_t i = 0; i < c->nblocks; i++)
            if (place(&c->blocks[i], &t, &loaded) &&
                (!first || t < *time || (t == *time && first_loaded && !loaded))) {
                first = &c->blocks[i];
                first_loaded = loaded;
                *time = t;
            }
        *any = first != NULL;
        if (!first || first_loaded)
            return 0;
        int r = cursor_load(c, first, e);
        if (r < 0)
            return r;
        retire(c, first);
    }
}

static void take_wal(struct cursor *c)
{
    c->time = c->wal[c->wal_at].time;
    c->value = c->wal[c->wal_at].value;
    c->text = c->wal_text;
}

static void take_block(struct cursor *c, const struct cursor_blocks *b)
{
    c->time = b->block.times[b->at];
    c->value = b->block.values[b->at];
    c->text = b->block.strings;
}

static bool is_before(const void *time, const void *key)
{
    return *(const int64_t *)time < *(const int64_t *)key;
}

/* The first value of a block, from one on, whose time is not below this. */
static size_t find_time(const struct tsmblock *k, size_t from, int64_t time)
{
    return from + array_bisect(k->times + from, k->n - from, sizeof(*k->times), &time, is_before);
}

/* The time of the next value elsewhere, or the end of the range. */
static int64_t next_of_others(const struct cursor *c, const struct cursor_blocks *run)
{
    int64_t next = c->range.max < INT64_MAX ? c->range.max + 1 : INT64_MAX, t;
    bool loaded;
    for (size_t i = 0; i < c->nblocks; i++)
        if (&c->blocks[i] != run && place(&c->blocks[i], &t, &loaded) && t < next)
            next = t;
    if (c->wal_at < c->nwal && c->wal[c->wal_at].time < next)
        next = c->wal[c->wal_at].time;
    return next;
}

/* How far values of the current block can be used unchanged: before the next value elsewhere,
 * within the range, none deleted, no time twice. */
static void find_run(struct cursor *c, struct cursor_blocks *run)
{
    const struct tsmblock *k = &run->block;
    if (run->ndeleted)
        return;
    size_t end = find_time(k, run->at, next_of_others(c, run)), i = run->at + 1;
    while (i < end && k->times[i] != k->times[i - 1])
        i++;
    c->run = run;
    c->run_end = i < end ? i - 1 : end;
}

int cursor_first(struct cursor *c, struct err *e)
{
    struct cursor_blocks *last = NULL;
    int64_t t = 0;
    bool any;
    int r = cursor_earliest(c, &t, &any, e);
    if (r < 0)
        return r;
    c->run = NULL;
    while (c->wal_at < c->nwal && c->wal[c->wal_at].time < c->range.min)
        c->wal_at++;
    bool wal = c->wal_at < c->nwal && c->wal[c->wal_at].time <= c->range.max;
    c->done = !any && !wal;
    if (wal && (!any || c->wal[c->wal_at].time <= t)) {
        take_wal(c);
        return 0;
    }
    for (size_t i = 0; any && i < c->nblocks; i++)
        if (c->blocks[i].at < c->blocks[i].block.n &&
            c->blocks[i].block.times[c->blocks[i].at] == t)
            last = &c->blocks[i];
    if (last) {
        take_block(c, last);
        find_run(c, last);
    }
    return 0;
}

int cursor_search(struct cursor *c, struct err *e)
{
    int64_t t = c->time;
    for (size_t i = 0; i < c->nblocks; i++) {
        struct cursor_blocks *b = &c->blocks[i];
        if (b->at < b->block.n && b->block.times[b->at] == t) {
            b->at++;
            settle(c, b);
            retire(c, b);
        }
    }
    if (c->wal_at < c->nwal && c->wal[c->wal_at].time == t)
        c->wal_at++;
    return cursor_first(c, e);
}

int64_t cursor_bound(const struct cursor *c)
{
    int64_t bound = c->nwal > 0 ? c->wal[0].time : INT64_MAX;
    for (size_t i = 0; i < c->nblocks; i++)
        if (c->blocks[i].entries[0].min < bound)
            bound = c->blocks[i].entries[0].min;
    return bound;
}

void cursor_clear(struct cursor *c)
{
    for (size_t i = 0; i < c->nblocks; i++) {
        free(c->blocks[i].entries);
        free(c->blocks[i].deleted);
        tsmblock_free(&c->blocks[i].block);
    }
    free(c->blocks);
    *c = (struct cursor){.done = true};
}
