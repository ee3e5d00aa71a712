/* SPDX-License-Identifier: MIT */
#include "store/points/keypass.h"

#include "store/base/array.h"

#include <errno.h>
#include <stddef.h>

/* What malloc takes beside an item, and its share of the table. */
#define ITEM_COST 24
#define LEAST_ROOM ((size_t)64)

struct keypass_bytes {
    uint32_t n, cap;
    char bytes[];
};

/* A copy of the bytes, with `more` zero bytes after them. */
static int keypass_copy(struct slice *to, struct slice from, size_t more)
{
    char *p = calloc(1, from.n + more + 1);
    if (!p)
        return -ENOMEM;
    memcpy(p, from.p, from.n);
    free((char *)to->p);
    *to = (struct slice){p, from.n + more};
    return 0;
}

int keypass_init(struct keypass *p, size_t memory, struct slice from)
{
    *p = (struct keypass){.memory = memory, .limit = memory};
    return from.p ? keypass_copy(&p->from, from, 0) : 0;
}

/* Of an item. */
static size_t keypass_size(size_t nkey)
{
    const size_t n = offsetof(struct keypass_item, key) + nkey;
    return n > sizeof(struct keypass_item) ? n : sizeof(struct keypass_item);
}

static void keypass_drop(struct keypass_item *item)
{
    if (item->n > 1)
        free(item->things.list);
    free(item->bytes);
    free(item);
}

void keypass_clear(struct keypass *p)
{
    for (size_t i = 0; i < p->room; i++)
        if (p->items[i])
            keypass_drop(p->items[i]);
    free(p->items);
    free((char *)p->from.p);
    free((char *)p->end.p);
    *p = (struct keypass){.items = NULL};
}

int keypass_until(struct keypass *p, struct slice end)
{
    return end.p ? keypass_copy(&p->end, end, 0) : 0;
}

static size_t keypass_hash(struct slice key)
{
    uint64_t h = key.n, word;
    for (; key.n >= sizeof(word); key.p += sizeof(word), key.n -= sizeof(word)) {
        memcpy(&word, key.p, sizeof(word));
        h = (h ^ word) * 0x9e3779b97f4a7c15;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, key.p, key.n);
    h = (h ^ word) * 0x9e3779b97f4a7c15;
    return (size_t)(h >> 32);
}

/* Where the key is in the table, or would be. */
static size_t keypass_slot(const struct keypass *p, struct slice key)
{
    size_t i = keypass_hash(key) & (p->room - 1);
    while (p->items[i] &&
           !(p->items[i]->nkey == key.n && memcmp(p->items[i]->key, key.p, key.n) == 0))
        i = (i + 1) & (p->room - 1);
    return i;
}

struct keypass_item *keypass_find(const struct keypass *p, struct slice key)
{
    return p->room ? p->items[keypass_slot(p, key)] : NULL;
}

/* Makes a table of so many slots out of the items that there are. */
static int keypass_table(struct keypass *p, size_t room)
{
    struct keypass_item **old = p->items;
    const size_t nold = p->room;
    struct keypass_item **items = calloc(room, sizeof(struct keypass_item *));
    if (!items)
        return -ENOMEM;
    p->items = items;
    p->room = room;
    for (size_t i = 0; i < nold; i++)
        if (old[i])
            items[keypass_slot(p, keypass_key(old[i]))] = old[i];
    free(old);
    return 0;
}

struct keypass_item *keypass_add(struct keypass *p, struct slice key, size_t ngroup)
{
    if (key.n > KEYPASS_LONGEST)
        return NULL;
    if (4 * (p->n + 1) > 3 * p->room && keypass_table(p, p->room ? 2 * p->room : LEAST_ROOM) < 0)
        return NULL;
    struct keypass_item *item = malloc(keypass_size(key.n));
    if (!item)
        return NULL;
    memset(item, 0, sizeof(*item));
    item->nkey = (uint16_t)key.n;
    item->ngroup = (uint16_t)ngroup;
    memcpy(item->key, key.p, key.n);
    p->items[keypass_slot(p, key)] = item;
    p->n++;
    p->used += keypass_size(key.n) + ITEM_COST;
    return item;
}

void *keypass_list(struct keypass_item *item)
{
    return item->n > 1 ? item->things.list : &item->things.one;
}

int keypass_push(struct keypass *p, struct keypass_item *item, const void *thing)
{
    struct keypass_thing *list = item->n > 1 ? item->things.list : NULL;
    if (item->n == 1) {
        list = malloc(2 * sizeof(*list));
        if (!list)
            return -ENOMEM;
        list[0] = item->things.one;
        p->used += 2 * sizeof(*list);
    } else if (item->n > 1) {
        if (item->n == UINT32_MAX || !array_grow(&list, item->n))
            return -ENOMEM;
        p->used += (item->n & (item->n - 1)) ? 0 : item->n * sizeof(*list);
    }
    if (item->n > 0)
        item->things.list = list;
    memcpy(item->n > 0 ? &list[item->n] : &item->things.one, thing, sizeof(*list));
    item->n++;
    return 0;
}

void keypass_leave(struct keypass_item *item, size_t n)
{
    struct keypass_thing *list = item->n > 1 ? item->things.list : NULL;
    if (list && n < 2) {
        item->things.one = list[0];
        free(list);
    }
    if (n == 0) {
        free(item->bytes);
        item->bytes = NULL;
    }
    item->n = (uint32_t)n;
}

int keypass_put(struct keypass *p, struct keypass_item *item, const void *bytes, size_t n,
                uint32_t *at)
{
    struct keypass_bytes *b = item->bytes;
    const size_t have = b ? b->n : 0, room = b ? b->cap : 0;
    if (n > UINT32_MAX - have)
        return -EFBIG;
    if (!b || n > room - have) {
        const size_t want = have + n + have / 2, cap = want > UINT32_MAX ? UINT32_MAX : want;
        b = realloc(b, sizeof(*b) + cap);
        if (!b)
            return -ENOMEM;
        p->used += cap - room;
        b->n = (uint32_t)have;
        b->cap = (uint32_t)cap;
        item->bytes = b;
    }
    if (n > 0)
        memcpy(b->bytes + have, bytes, n);
    *at = b->n;
    b->n += (uint32_t)n;
    return 0;
}

const char *keypass_text(const struct keypass_item *item)
{
    return item->bytes ? item->bytes->bytes : "";
}

static size_t keypass_weight(const struct keypass_item *item)
{
    size_t things = 1;
    while (things < item->n)
        things *= 2;
    return keypass_size(item->nkey) + ITEM_COST +
           (things > 1 ? things * sizeof(struct keypass_thing) : 0) +
           (item->bytes ? sizeof(*item->bytes) + item->bytes->cap : 0);
}

static int by_group(const void *va, const void *vb)
{
    const struct keypass_item *a = *(struct keypass_item *const *)va;
    const struct keypass_item *b = *(struct keypass_item *const *)vb;
    int c = slice_compare(keypass_group(a), keypass_group(b));
    return c ? c : slice_compare(keypass_key(a), keypass_key(b));
}

void keypass_sort(struct keypass *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->room; i++) {
        struct keypass_item *item = p->items[i];
        p->items[i] = NULL;
        if (item && item->n > 0)
            p->items[n++] = item;
        else if (item)
            keypass_drop(item);
    }
    p->n = n;
    if (n > 0)
        qsort(p->items, n, sizeof(struct keypass_item *), by_group);
}

static bool same_group(const struct keypass_item *a, const struct keypass_item *b)
{
    return slice_compare(keypass_group(a), keypass_group(b)) == 0;
}

/* How many items of the sorted list stay: those of the first group, and of the groups after it what
 * fits into half of the memory. Their weight is p->used then. */
static size_t keypass_staying(struct keypass *p)
{
    size_t stay = 0, weight = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (i > 0 && !same_group(p->items[i], p->items[i - 1])) {
            stay = i;
            p->used = weight;
        }
        weight += keypass_weight(p->items[i]);
        if (stay > 0 && weight > p->memory / 2)
            return stay;
    }
    p->used = weight;
    return p->n;
}

/* What comes after the last group that stays is for a later pass. If all stay, although they take more
 * than half of the memory, they are one group, and nothing comes beside it. */
static int keypass_set_end(struct keypass *p, size_t stay)
{
    if (stay < p->n)
        return keypass_copy(&p->end, keypass_group(p->items[stay]), 0);
    if (p->used <= p->memory / 2)
        return 0;
    return keypass_copy(&p->end, keypass_group(p->items[stay - 1]), 1);
}

/* A group that takes more than the memory may double before the next look. */
int keypass_fit(struct keypass *p)
{
    if (p->memory == 0 || p->used <= p->limit)
        return 0;
    keypass_sort(p);
    const size_t stay = keypass_staying(p);
    if (keypass_set_end(p, stay) < 0)
        return -ENOMEM;
    for (size_t i = stay; i < p->n; i++) {
        keypass_drop(p->items[i]);
        p->items[i] = NULL;
    }
    p->n = stay;
    p->limit = p->used > p->memory ? 2 * p->used : p->memory;
    return keypass_table(p, p->room);
}

struct place {
    struct slice group, key;
};

static bool is_before(const void *item, const void *place)
{
    const struct keypass_item *n = *(struct keypass_item *const *)item;
    const struct place *at = place;
    int c = slice_compare(keypass_group(n), at->group);
    return c ? c < 0 : slice_compare(keypass_key(n), at->key) < 0;
}

size_t keypass_search(const struct keypass *p, struct slice group, struct slice key)
{
    const struct place at = {group, key};
    return array_bisect(p->items, p->n, sizeof(struct keypass_item *), &at, is_before);
}
