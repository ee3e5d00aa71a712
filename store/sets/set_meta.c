/* SPDX-License-Identifier: MIT */
#include "store/sets/set_meta.h"

#include "store/influx/protowire.h"

#include <errno.h>

#define MAGIC UINT64_C(0x59590101)

enum { PACKED_DATA = 1, DATA_CLUSTER = 3 }; /* numbers of fields */

int set_meta_legacy(struct bytes file, struct bytes *out, struct err *e)
{
    uint64_t magic, n;
    const void *p;
    if (!bytes_be(&file, 8, &magic) || magic != MAGIC)
        return err_set(e, -EBADMSG, "no metastore of a backup: it does not begin as one");
    if (!bytes_be(&file, 8, &n) || !bytes_take(&file, n, &p))
        return err_set(e, -EBADMSG, "ends early: a part of the metastore is missing");
    *out = (struct bytes){p, (size_t)n};
    if (!bytes_be(&file, 8, &n) || !bytes_skip(&file, n))
        return err_set(e, -EBADMSG, "ends early: what follows the metastore is missing");
    return file.n == 0 ? 0 : err_set(e, -EBADMSG, "damaged: something follows the metastore");
}

int set_meta_portable(struct bytes file, uint64_t size, struct bytes *out, struct err *e)
{
    struct bytes rest = file, data = {0};
    struct protowire_field f;
    int r;
    while ((r = protowire_next(&rest, &f)) > 0)
        if (f.number == PACKED_DATA && f.type == WIRE_BYTES)
            data = f.body;
    if (r == 0 && data.p && data.n == size)
        *out = data;
    else if (file.n == size)
        *out = file;
    else
        return err_set(e, -EBADMSG,
                       "damaged: it does not hold the %llu bytes that its manifest says",
                       (unsigned long long)size);
    return 0;
}

uint64_t set_meta_cluster(struct bytes meta)
{
    struct protowire_field f;
    while (protowire_next(&meta, &f) > 0)
        if (f.number == DATA_CLUSTER && f.type == WIRE_VARINT)
            return f.value;
    return 0;
}
