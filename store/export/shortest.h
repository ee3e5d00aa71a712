/* SPDX-License-Identifier: MIT */
/* The shortest decimal for a float: of those that read back as the float (to nearest, ties to even)
 * one with the fewest digits, and of these the nearest; of two equally near, the even one. The
 * algorithm is Schubfach (Raffaello Giulietti, "The Schubfach way to render doubles", 2021), which
 * needs three products with a power of ten in 128 bits. Pure; the first call makes the table of
 * powers. */
#ifndef INFLUXFS_EXPORT_SHORTEST_H
#define INFLUXFS_EXPORT_SHORTEST_H

#include <stdint.h>

/* For v > 0, finite: returns up to 17 digits, the last not 0, to be multiplied by ten to the power
 * of *exponent. */
uint64_t shortest_decimal(double v, int *exponent);

#endif
