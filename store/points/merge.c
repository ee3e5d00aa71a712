/* SPDX-License-Identifier: MIT */
#include "store/points/merge.h"

static bool less(const struct merge *m, size_t i, size_t j)
{
    return m->less(m->items[i], m->items[j], m->ctx);
}

static void swap(struct merge *m, size_t i, size_t j)
{
    void *p = m->items[i];
    m->items[i] = m->items[j];
    m->items[j] = p;
}

static void up(struct merge *m, size_t j)
{
    while (j > 0) {
        size_t i = (j - 1) / 2;
        if (!less(m, j, i))
            return;
        swap(m, i, j);
        j = i;
    }
}

static void down(struct merge *m, size_t i, size_t n)
{
    for (;;) {
        size_t j = 2 * i + 1;
        if (j >= n)
            return;
        if (j + 1 < n && less(m, j + 1, j))
            j++;
        if (!less(m, j, i))
            return;
        swap(m, i, j);
        i = j;
    }
}

void merge_init(struct merge *m)
{
    for (size_t i = m->n / 2; i-- > 0;)
        down(m, i, m->n);
}

void *merge_pop(struct merge *m)
{
    m->n--;
    swap(m, 0, m->n);
    down(m, 0, m->n);
    return m->items[m->n];
}

void merge_push(struct merge *m, void *item)
{
    m->items[m->n] = item;
    up(m, m->n++);
}
