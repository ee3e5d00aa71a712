/* SPDX-License-Identifier: MIT */
#include "store/base/time.h"
#include "store/rewrite/remeta_internal.h"

#define HOUR (3600 * SECOND_NS)

/* 0 is avoided where it can be: influxd takes it for the year 1. */
int64_t remeta_boundary(int64_t before, int64_t next, int64_t length)
{
    const int64_t lengths[] = {length, DAY_NS, HOUR, 60 * SECOND_NS, SECOND_NS, 1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        const int64_t at = time_floor(next, lengths[i]);
        if (at > before && at != 0)
            return at;
    }
    return next == 0 && before < -1 ? before + 1 : next;
}

/* Whether a cluster lies in one span, and no other does in the same. */
static bool span_fits(const struct remeta_cluster *list, size_t n, size_t i, int64_t length)
{
    const int64_t start = time_floor(list[i].min, length), last = list[i].max;
    return list[i].n == 1 && time_floor(last, length) == start &&
           (i == 0 || time_floor(list[i - 1].max, length) != start) &&
           (i + 1 == n || time_floor(list[i + 1].min, length) != start);
}

int64_t remeta_guess(const struct remeta_cluster *list, size_t n, size_t *fit)
{
    static const int64_t lengths[] = {7 * DAY_NS, DAY_NS, HOUR};
    int64_t best = lengths[0];
    *fit = 0;
    for (size_t k = 0; k < sizeof(lengths) / sizeof(*lengths); k++) {
        size_t fits = 0;
        for (size_t i = 0; i < n; i++)
            fits += span_fits(list, n, i, lengths[k]);
        if (fits > *fit) {
            *fit = fits;
            best = lengths[k];
        }
    }
    return best;
}
