/* SPDX-License-Identifier: MIT */
#include "store/base/idset.h"

#include <stdlib.h>

struct idset_slot {
    uint64_t id;
    size_t count; /* 0 and not used: empty; 0 and used: it was dropped */
    bool used;
};

/* The place of a number, or the empty one where it belongs; there is always one. */
static struct idset_slot *find(struct idset_slot *slots, size_t cap, uint64_t id)
{
    uint64_t h = id * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(h ^ h >> 32) & (cap - 1);
    while (slots[i].used && slots[i].id != id)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

/* Those that were dropped are not taken along. */
static bool idset_grow(struct idset *s)
{
    const size_t cap = s->cap ? s->cap * 2 : 64;
    struct idset_slot *slots = calloc(cap, sizeof(*slots));
    size_t used = 0;
    if (!slots)
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i].count) {
            *find(slots, cap, s->slots[i].id) = s->slots[i];
            used++;
        }
    free(s->slots);
    s->slots = slots;
    s->cap = cap;
    s->used = used;
    return true;
}

bool idset_add(struct idset *s, uint64_t id)
{
    if (s->used >= s->cap / 2 && !idset_grow(s))
        return false;
    struct idset_slot *slot = find(s->slots, s->cap, id);
    s->used += !slot->used;
    slot->used = true;
    slot->id = id;
    slot->count++;
    if (id > s->top && id < UINT64_C(1) << 63)
        s->top = id;
    return true;
}

void idset_drop(struct idset *s, uint64_t id)
{
    struct idset_slot *slot = s->cap ? find(s->slots, s->cap, id) : NULL;
    if (slot && slot->count)
        slot->count--;
}

bool idset_has(const struct idset *s, uint64_t id)
{
    return s->cap && find(s->slots, s->cap, id)->count;
}

void idset_free(struct idset *s)
{
    free(s->slots);
    *s = (struct idset){0};
}
