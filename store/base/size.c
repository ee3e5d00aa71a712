/* SPDX-License-Identifier: MIT */
#include "store/base/size.h"

#include <stddef.h>
#include <stdio.h>

void size_text(double bytes, char out[SIZE_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t u = 0;
    while (bytes >= 1024 && u + 1 < sizeof(units) / sizeof(*units)) {
        bytes /= 1024;
        u++;
    }
    snprintf(out, SIZE_TEXT, u && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[u]);
}
