/* SPDX-License-Identifier: MIT */
#include "store/sets/madeset_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LEAST_BASE UINT64_C(100000)
#define MOST_BASE UINT64_C(1000000000000000000)

uint64_t madeset_legacy_id(uint64_t id, uint64_t greatest)
{
    uint64_t base = LEAST_BASE;
    if (id % 10 != 0)
        return id;
    while (base <= greatest && base < MOST_BASE)
        base *= 10;
    return base > greatest ? base + id + 1 : 0;
}

const char *madeset_refuses_database(const char *db)
{
    if (strchr(db, '.'))
        return "influxd restore takes no name with a dot";
    if (strcmp(db, "meta") == 0)
        return "influxd restore would take its files for the metastore";
    return NULL;
}

const char *madeset_refuses_policy(const char *db, const char *rp, uint64_t id)
{
    if (strchr(rp, '.'))
        return "influxd restore takes no name with a dot";
    if (snprintf(NULL, 0, "%s.%s.%05" PRIu64 ".00", db, rp, id) > MADESET_NAME_MAX)
        return "its files' names would be too long";
    return NULL;
}
