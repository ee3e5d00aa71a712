/* SPDX-License-Identifier: MIT */
/* What a field holds. The types are numbered as TSM files number them; the WAL differs. */
#ifndef INFLUXFS_INFLUX_VALUE_H
#define INFLUXFS_INFLUX_VALUE_H

#include <stdbool.h>
#include <stdint.h>

enum value_type {
    VALUE_FLOAT = 0,
    VALUE_INTEGER = 1,
    VALUE_BOOLEAN = 2,
    VALUE_STRING = 3,
    VALUE_UNSIGNED = 4,
    VALUE_TYPES = 5, /* how many there are */
};

/* A value without its type. Strings are any bytes, and lie in a buffer that their holder names. */
union value {
    double f;
    int64_t i;
    uint64_t u;
    bool b;
    struct {
        uint32_t off, len;
    } s;
};

#endif
