/* SPDX-License-Identifier: MIT */
/*
 * The decimal that stands for a float: of those that read back as the float (to nearest, ties to
 * even) one with the fewest digits, and of these the nearest; of two as near, the even one.
 *
 * The algorithm is Schubfach (Raffaello Giulietti, "The Schubfach way to render doubles", 2021),
 * which needs three products with a power of ten in 128 bits. Pure; the table of these powers is
 * made by the first call.
 */
#ifndef INFLUXFS_EXPORT_SHORTEST_H
#define INFLUXFS_EXPORT_SHORTEST_H

#include <stdint.h>

/* Of v > 0, finite. The number is the result, up to 17 digits of which the last is not 0, times ten
 * to the power of *exponent. */
uint64_t shortest_decimal(double v, int *exponent);

#endif
