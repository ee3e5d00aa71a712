/* SPDX-License-Identifier: MIT */
#include "store/export/gotext.h"

#include "store/base/time.h"
#include "store/export/shortest.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>

/*
 * The eight digits of v < 10^8, a byte each, the first in the lowest byte. All are found at once,
 * by splitting lanes of one word: v into two numbers of four digits, each of these into two of two
 * digits, and these into single digits. The quotients are products with a reciprocal, exact for
 * numbers so small: x * 5243 >> 19 is x / 100 below 10^4, x * 103 >> 10 is x / 10 below 100. For
 * v = 12345678, with the lanes of x in decimal, the lowest first:
 *
 *   1234 . . . 5678 . . .      x: two lanes of 32 bits
 *   12 . . . 56 . . .          high: their hundreds
 *   12 . 34 . 56 . 78 .        x: high, and above it x - 100 * high; four lanes of 16 bits
 *   1 . 3 . 5 . 7 .            high: their tens
 *   1 2 3 4 5 6 7 8            high, and above it x - 10 * high; eight bytes
 */
static inline uint64_t eight(uint32_t v)
{
    uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t high = x * 5243 >> 19 & 0x0000007f0000007f;
    x = high | (x - 100 * high) << 16;
    high = x * 103 >> 10 & 0x000f000f000f000f;
    return high | (x - 10 * high) << 8;
}

static inline void put(char *p, uint64_t bytes)
{
    bytes = htole64(bytes);
    memcpy(p, &bytes, sizeof(bytes));
}

#define ZEROS UINT64_C(0x3030303030303030)

static const char pairs[] = "00010203040506070809"
                            "10111213141516171819"
                            "20212223242526272829"
                            "30313233343536373839"
                            "40414243444546474849"
                            "50515253545556575859"
                            "60616263646566676869"
                            "70717273747576777879"
                            "80818283848586878889"
                            "90919293949596979899";

static inline void pair(char *p, uint32_t v)
{
    memcpy(p, pairs + 2 * (size_t)v, 2);
}

/* Faster than eight(), if all digits are wanted. Returns the end. */
static inline char *put_eight(char *p, uint32_t v)
{
    uint32_t high = v / 10000, low = v % 10000;
    pair(p, high / 100);
    pair(p + 2, high % 100);
    pair(p + 4, low / 100);
    pair(p + 6, low % 100);
    return p + 8;
}

/* v < 10^8. Here and below: text goes to p, which has room for 8 bytes more than the text; the end
 * is returned. */
static inline char *short_number(char *p, uint32_t v)
{
    if (v < 100) {
        memcpy(p, pairs + 2 * (size_t)v + (v < 10), 2);
        return p + 1 + (v >= 10);
    }
    uint64_t x = eight(v);
    int zeros = __builtin_ctzll(x | UINT64_C(1) << 56) / 8;
    put(p, (x | ZEROS) >> 8 * zeros);
    return p + 8 - zeros;
}

#define E8 UINT64_C(100000000)

static inline char *digits(char *p, uint64_t v)
{
    if (v < E8)
        return short_number(p, (uint32_t)v);
    if (v < E8 * E8)
        return put_eight(short_number(p, (uint32_t)(v / E8)), (uint32_t)(v % E8));
    p = short_number(p, (uint32_t)(v / (E8 * E8)));
    v %= E8 * E8;
    return put_eight(put_eight(p, (uint32_t)(v / E8)), (uint32_t)(v % E8));
}

#define MAX_INTEGER (20 + 8)

/* Exact: a double holds every power of ten up to 10^22. */
static const uint64_t powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

/* How many digits v has, of 0 one: its bits times log10(2) are that, or one too few. */
static inline int length(uint64_t v)
{
    int n = (64 - __builtin_clzll(v | 1)) * 1233 >> 12;
    return n + ((v | 1) >= powers[n]);
}

void gotext_unsigned(struct buffer *o, uint64_t v)
{
    if (o->counts) {
        o->n += (size_t)length(v);
        return;
    }
    char *p = buffer_reserve(o, MAX_INTEGER);
    if (p)
        o->n += (size_t)(digits(p, v) - p);
}

void gotext_integer(struct buffer *o, int64_t v)
{
    if (o->counts) {
        o->n += (size_t)length(v < 0 ? 0 - (uint64_t)v : (uint64_t)v) + (v < 0);
        return;
    }
    char *p = buffer_reserve(o, MAX_INTEGER), *start = p;
    if (!p)
        return;
    *p = '-';
    p += v < 0;
    o->n += (size_t)(digits(p, v < 0 ? 0 - (uint64_t)v : (uint64_t)v) - start);
}

/* d in n digits, up to 17, zero-padded. Writing 17 digits is faster than counting them. */
static inline char *fixed(char *p, uint64_t d, int n)
{
    d *= powers[17 - n];
    *p = (char)('0' + d / (E8 * E8));
    d %= E8 * E8;
    put_eight(put_eight(p + 1, (uint32_t)(d / E8)), (uint32_t)(d % E8));
    return p + n;
}

static inline char *zeros(char *p, int n)
{
    put(p, ZEROS);
    if (n > 8)
        memset(p + 8, '0', (size_t)n - 8);
    return p + n;
}

/* d * 10^exponent, which reads as v. */
static char *gotext_plain(char *p, double v, uint64_t d, int exponent)
{
    if (exponent >= 0)
        return zeros(digits(p, d), exponent);
    /* Integers this small are floats, so none lies between v and what reads as v. */
    uint64_t whole = (uint64_t)(int64_t)v;
    if (whole) {
        p = digits(p, whole);
        *p++ = '.';
        return fixed(p, d - whole * powers[-exponent], -exponent);
    }
    *p++ = '0';
    *p++ = '.';
    int n = length(d);
    return fixed(zeros(p, -exponent - n), d, n);
}

static char *gotext_scientific(char *p, uint64_t d, int exponent)
{
    int n = length(d);
    char *end = fixed(p + 1, d, n);
    exponent += n - 1;
    p[0] = p[1];
    p[1] = '.';
    p = n > 1 ? end : p + 1;
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    return short_number(p, (uint32_t)abs(exponent));
}

/* Of v from 0 on. */
static char *gotext_number(char *p, double v, bool exponents)
{
    /* Half a float's distance is below one up to 2^53: an integer's own digits are the shortest. */
    if (v < 9007199254740992.0 && v == (double)(int64_t)v)
        return digits(p, (uint64_t)v);
    /* Most numbers have few digits. No two decimals of up to 15 digits read as the same float, so
     * one that reads as v is the shortest. The quotient is rounded as in reading. */
    if (v >= 1e-6 && v < 1e7) {
        uint64_t hundred_millionths = (uint64_t)(int64_t)(v * E8 + 0.5);
        if ((double)(int64_t)hundred_millionths / E8 == v) {
            p = short_number(p, (uint32_t)(hundred_millionths / E8));
            *p++ = '.';
            uint64_t x = eight((uint32_t)(hundred_millionths % E8));
            put(p, x | ZEROS);
            return p + 8 - __builtin_clzll(x) / 8;
        }
    }
    int exponent;
    uint64_t d = shortest_decimal(v, &exponent);
    if (exponents && (v < 1e-6 || v >= 1e21))
        return gotext_scientific(p, d, exponent);
    return gotext_plain(p, v, d, exponent);
}

/* The lengths of the texts of gotext_plain and gotext_scientific. */
static int plain_length(double v, uint64_t d, int exponent)
{
    if (exponent >= 0)
        return length(d) + exponent;
    uint64_t whole = (uint64_t)(int64_t)v;
    return (whole ? length(whole) : 1) + 1 - exponent;
}

static int scientific_length(uint64_t d, int exponent)
{
    int n = length(d);
    return n + (n > 1) + 2 + length((uint64_t)abs(exponent + n - 1));
}

/* The length of the text of gotext_number, which decides likewise. */
static int gotext_number_length(double v, bool exponents)
{
    if (v < 9007199254740992.0 && v == (double)(int64_t)v)
        return length((uint64_t)v);
    if (v >= 1e-6 && v < 1e7) {
        uint64_t hundred_millionths = (uint64_t)(int64_t)(v * E8 + 0.5);
        if ((double)(int64_t)hundred_millionths / E8 == v) {
            uint64_t x = eight((uint32_t)(hundred_millionths % E8));
            return length(hundred_millionths / E8) + 1 + 8 - __builtin_clzll(x) / 8;
        }
    }
    int exponent;
    uint64_t d = shortest_decimal(v, &exponent);
    if (exponents && (v < 1e-6 || v >= 1e21))
        return scientific_length(d, exponent);
    return plain_length(v, d, exponent);
}

/* A sign, and 309 digits before the point or 324 after it. */
#define MAX_FLOAT (1 + 2 + 324 + 17)

static inline void gotext_any_number(struct buffer *o, double v, bool exponents)
{
    if (!isfinite(v)) {
        buffer_string(o, "null");
        return;
    }
    if (o->counts) {
        o->n += (size_t)gotext_number_length(fabs(v), exponents) + (signbit(v) != 0);
        return;
    }
    char *p = buffer_reserve(o, MAX_FLOAT), *start = p;
    if (!p)
        return;
    *p = '-';
    p += signbit(v) != 0;
    o->n += (size_t)(gotext_number(p, fabs(v), exponents) - start);
}

void gotext_float_json(struct buffer *o, double v)
{
    gotext_any_number(o, v, true);
}

void gotext_float_plain(struct buffer *o, double v)
{
    gotext_any_number(o, v, false);
}

/* The date of a day since 1970, by the proleptic Gregorian calendar (Howard Hinnant's
 * civil_from_days). */
static void date_of(int64_t day, int64_t *year, unsigned *month, unsigned *mday)
{
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    unsigned doe = (unsigned)(day - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *mday = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = (int64_t)yoe + era * 400 + (*month <= 2);
}

#define DAY (DAY_NS / SECOND_NS)

/* Makes the second's day the current one. */
static void gotext_turn_to_day(struct gotext_day *d, int64_t second)
{
    int64_t year, day = second / DAY - (second % DAY < 0);
    unsigned month, mday;
    date_of(day, &year, &month, &mday);
    /* Years are of four digits: from 1677 to 2262. */
    char text[8];
    put_eight(text, (uint32_t)year * 10000 + month * 100 + mday);
    memcpy(d->date, text, 4);
    d->date[4] = '-';
    memcpy(d->date + 5, text + 4, 2);
    d->date[7] = '-';
    memcpy(d->date + 8, text + 6, 2);
    d->date[10] = 'T';
    d->midnight = day * DAY;
}

/* hh:mm:ss */
static inline void put_clock(char *p, uint32_t second)
{
    pair(p, second / 3600);
    p[2] = ':';
    pair(p + 3, second / 60 % 60);
    p[5] = ':';
    pair(p + 6, second % 60);
}

/* The length of a fraction of a second with its point, without zeros at its end. */
static size_t fraction_length(uint32_t ns)
{
    size_t n = ns % 1000 ? 10 : ns % 1000000 ? 7 : 4;
    for (ns /= (uint32_t)powers[10 - n]; ns % 10 == 0; ns /= 10)
        n--;
    return n;
}

void gotext_time(struct buffer *o, struct gotext_day *day, int64_t ns)
{
    int64_t second = ns / SECOND_NS - (ns % SECOND_NS < 0);
    uint32_t fraction = (uint32_t)((uint64_t)ns - (uint64_t)second * SECOND_NS);
    if (o->counts) {
        o->n += 20 + (fraction ? fraction_length(fraction) : 0);
        return;
    }
    char *p = buffer_reserve(o, 32), *start = p;
    if (!p)
        return;
    if ((uint64_t)(second - day->midnight) >= DAY || !day->date[0])
        gotext_turn_to_day(day, second);
    memcpy(p, day->date, sizeof(day->date));
    put_clock(p + 11, (uint32_t)(second - day->midnight));
    p += 19;
    if (fraction) {
        *p = '.';
        put_eight(p + 1, fraction / 10);
        p[9] = (char)('0' + fraction % 10);
        /* Times are often of milliseconds or microseconds. */
        p += fraction % 1000 ? 10 : fraction % 1000000 ? 7 : 4;
        while (p[-1] == '0')
            p--;
    }
    *p++ = 'Z';
    o->n += (size_t)(p - start);
}
