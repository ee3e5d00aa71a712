/* SPDX-License-Identifier: MIT */
/* The bytes of a file copied into another one, by the kernel where it can. */
#ifndef INFLUXFS_BASE_COPYING_H
#define INFLUXFS_BASE_COPYING_H

#include <stdbool.h>

/* Copies all of `from` into the empty file `to`, and leaves holes where there are holes. The
 * positions of both are used, and are anywhere afterwards. 0 or -errno; -EBUSY: it became shorter
 * meanwhile. Any thread. */
int copying_file(int from, int to);

/* Whether this -errno of link(2) says that it does not work here, or not for this user, so that the
 * file is to be copied. */
bool copying_instead(int code);

#endif
