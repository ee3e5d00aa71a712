/* SPDX-License-Identifier: MIT */
#include "store/rewrite/merge_order.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST 999999999ul /* what nine digits can count; more would sort before less */

struct place {
    unsigned long generation, sequence;
};

static struct place place_of(const char *name)
{
    char *end;
    struct place p = {.generation = strtoul(name, &end, 10)};
    p.sequence = strtoul(end + 1, NULL, 10);
    /* Only names of another width have more, and these get other names. */
    if (p.sequence > LAST)
        p.sequence = LAST;
    return p;
}

/* Whether file i stands in the generation of the one before it. Names of other widths than nine
 * digits may not ascend as numbers: then a generation ends. */
static bool goes_on(const struct merge_side *side, size_t i)
{
    if (i == 0)
        return false;
    struct place before = place_of(side->names[i - 1]), here = place_of(side->names[i]);
    return here.generation == before.generation && here.sequence > before.sequence;
}

static unsigned long generations(const struct merge_side *sides, size_t n)
{
    unsigned long sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sides[i].n; k++)
            sum += !goes_on(&sides[i], k);
    return sum;
}

/* Whether a side keeps its names between so many generations below and above. */
static bool order_has_room(const struct merge_side *side, unsigned long below, unsigned long above)
{
    for (size_t i = 0; i < side->n; i++)
        if (strlen(side->names[i]) + 1 != MERGE_NAME)
            return false;
    return side->n && place_of(side->names[0]).generation > below &&
           place_of(side->names[side->n - 1]).generation <= LAST - above;
}

int merge_order(const struct merge_side *sides, size_t n, size_t home, char (*out)[MERGE_NAME])
{
    unsigned long generation = 0, all = generations(sides, n);
    if (all > LAST)
        return -EOVERFLOW;
    const unsigned long below = home < n ? generations(sides, home) : 0;
    const bool stays =
        home < n && order_has_room(&sides[home], below, all - below - generations(&sides[home], 1));
    for (size_t i = 0, k = 0; i < n; i++)
        for (size_t j = 0; j < sides[i].n; j++, k++) {
            const struct place p = place_of(sides[i].names[j]);
            if (i == home && stays)
                generation = p.generation;
            else if (!goes_on(&sides[i], j))
                generation++;
            snprintf(out[k], MERGE_NAME, "%09lu-%09lu.tsm", generation, p.sequence);
        }
    return 0;
}
