/* SPDX-License-Identifier: MIT */
#include "store/points/keyheap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

int keyheap_init(struct keyheap *h, size_t room)
{
    *h = (struct keyheap){.items = calloc(room + 1, sizeof(*h->items))};
    return h->items ? 0 : -ENOMEM;
}

void keyheap_free(struct keyheap *h)
{
    free(h->items);
    *h = (struct keyheap){.items = NULL};
}

static bool is_less(const struct keyheap_item *a, const struct keyheap_item *b)
{
    int c = slice_compare(a->key, b->key);
    return c ? c < 0 : a->number < b->number;
}

void keyheap_add(struct keyheap *h, struct slice key, size_t number)
{
    const struct keyheap_item item = {key, number};
    size_t i = h->n++;
    for (; i > 0 && is_less(&item, &h->items[(i - 1) / 2]); i = (i - 1) / 2)
        h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = item;
}

void keyheap_move(struct keyheap *h, struct slice key)
{
    const struct keyheap_item item =
        key.p ? (struct keyheap_item){key, h->items[0].number} : h->items[--h->n];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && is_less(&h->items[child + 1], &h->items[child]))
            child++;
        if (!is_less(&h->items[child], &item))
            break;
        h->items[i] = h->items[child];
        i = child;
    }
    h->items[i] = item;
}
