/* SPDX-License-Identifier: MIT */
#include "store/export/shortest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

typedef unsigned __int128 u128;

/* The powers of ten that a float of 64 bits needs, and their first 128 bits, rounded up. */
#define FIRST (-292)
#define LAST 324

static u128 powers[LAST - FIRST + 1];
static atomic_bool are_made; /* pthread_once knows too, but is slower */

/* A large number, its low end first. 10^324 takes 34 words; there are as many as the first 128 bits
 * need below 1, and beside 2^1248 / 10^292. */
#define WORDS 40

/* The first 128 bits of a number of five words at least, rounded up if there are more. */
static u128 shortest_first_bits(const uint32_t *x, bool more)
{
    int i = WORDS - 1;
    while (!x[i])
        i--;
    int shift = __builtin_clz(x[i]);
    uint64_t high = (uint64_t)x[i] << 32 | x[i - 1];
    uint64_t low = (uint64_t)x[i - 2] << 32 | x[i - 3];
    uint64_t next = (uint64_t)x[i - 4] << shift;
    more = more || (uint32_t)next != 0;
    for (i -= 5; i >= 0; i--)
        more = more || x[i] != 0;
    return (((u128)high << 64 | low) << shift | next >> 32) + more;
}

static void times_ten(uint32_t *x)
{
    uint64_t carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)x[i] * 10;
        x[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void divide_by_ten(uint32_t *x)
{
    uint64_t rest = 0;
    for (int i = WORDS - 1; i >= 0; i--) {
        rest = rest << 32 | x[i];
        x[i] = (uint32_t)(rest / 10);
        rest %= 10;
    }
}

static void shortest_make_powers(void)
{
    uint32_t x[WORDS] = {[4] = 1};
    for (int k = 0; k <= LAST; k++, times_ten(x))
        powers[k - FIRST] = shortest_first_bits(x, false);
    /* Dropping the part below 1 at each step equals dropping it at the end; it is never 0. */
    memset(x, 0, sizeof(x));
    x[WORDS - 1] = 1;
    for (int k = -1; k >= FIRST; k--) {
        divide_by_ten(x);
        powers[k - FIRST] = shortest_first_bits(x, true);
    }
    atomic_store_explicit(&are_made, true, memory_order_release);
}

/* The integer part of g * c / 2^128, made odd if the rest exceeds g's own error. */
static uint64_t scaled(u128 g, uint64_t c)
{
    u128 low = (u128)(uint64_t)g * c;
    u128 product = (u128)(uint64_t)(g >> 64) * c + (uint64_t)(low >> 64);
    return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

static inline bool strip(uint64_t *d, int *exponent, uint64_t power, int zeros)
{
    if (*d % power)
        return false;
    *d /= power;
    *exponent += zeros;
    return true;
}

static uint64_t without_zeros(uint64_t d, int *exponent)
{
    while (strip(&d, exponent, 100000000, 8))
        ;
    strip(&d, exponent, 10000, 4);
    strip(&d, exponent, 100, 2);
    strip(&d, exponent, 10, 1);
    return d;
}

/* v is c * 2^q; the interval that reads as v is from lower to upper, all of them in quarters of
 * 10^k, which is the greatest power of ten not above the interval's width. So of the multiples of
 * 10^(k+1) at most one is in it, and if none is, one or more of those of 10^k are. */
uint64_t shortest_decimal(double v, int *exponent)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!atomic_load_explicit(&are_made, memory_order_acquire))
        pthread_once(&once, shortest_make_powers);
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52);
    uint64_t c = biased ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (biased ? biased : 1) - 1075;
    /* Below a power of two the floats lie closer. */
    bool lopsided = fraction == 0 && biased > 1;
    /* The logarithms' integer parts; exact in the range of a float's exponents. */
    int k = (q * 1262611 - (lopsided ? 524031 : 0)) >> 22;
    int h = q + ((-k * 1741647) >> 19) + 1;
    u128 g = powers[-k - FIRST];
    /* The ends read as v if it is even. */
    uint64_t lower = scaled(g, (4 * c - 2 + lopsided) << h) + (c & 1);
    uint64_t upper = scaled(g, (4 * c + 2) << h) - (c & 1);
    uint64_t exact = scaled(g, 4 * c << h);

    /* Without branches: the outcome is as random as the digits. */
    uint64_t s = exact / 4, tens = s / 10;
    bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper, is_short = below != above;
    uint64_t nearest = (exact + 1 + (s & 1)) / 4;
    /* Only if the interval is lopsided can the nearest be outside, and then it is the lower one. */
    nearest = 4 * s < lower ? s + 1 : nearest;
    uint64_t d = is_short ? tens + above : nearest;
    *exponent = k + is_short;
    return (is_short & (d % 10 == 0)) ? without_zeros(d, exponent) : d;
}
