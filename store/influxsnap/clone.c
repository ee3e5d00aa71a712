/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/snap.h"
int snap_clone(struct snap *s)
{
    (void)s;
    return EXIT_FAILED;
}
