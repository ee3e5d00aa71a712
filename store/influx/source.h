/* SPDX-License-Identifier: MIT */
/* Where the bytes of one file of a store come from: a descriptor, a capture, memory. */
#ifndef INFLUXFS_INFLUX_SOURCE_H
#define INFLUXFS_INFLUX_SOURCE_H

#include "store/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct source {
    /* Reads n bytes at off, all of them, which lie below size; else a negative errno. */
    int (*read)(void *ctx, void *buf, size_t n, uint64_t off, struct err *e);
    void *ctx;
    uint64_t size;    /* bytes */
    const char *name; /* for messages: the path in the store */
};

#endif
