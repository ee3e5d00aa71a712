/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/fieldsidx.h"
#include "store/points/schema_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* Larger files count as damaged. */
#define FIELDS_MAX ((size_t)64 << 20)

static int add_field(void *ctx, struct slice measurement, struct slice name, enum value_type type)
{
    struct schema_entry *n = schema_entry(ctx, measurement);
    return n ? schema_add_field(n, name, type) : -ENOMEM;
}

static int drop_fields(void *ctx, struct slice measurement)
{
    struct schema_entry *n = schema_entry(ctx, measurement);
    if (!n)
        return -ENOMEM;
    while (n->m.nfields > 0)
        free((char *)n->m.fields[--n->m.nfields].name.p);
    n->field_at = 0;
    return 0;
}

/* The changes are read first, as influxd removes them after it has merged them into fields.idx. */
int schema_add_live(struct schema *o, const char *folder)
{
    const struct fieldsidx_visitor v = {add_field, drop_fields, o};
    autofree char *index = NULL, *changes = NULL;
    size_t n = 0, nchanges = 0;
    cleanup(cleanup_close) int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (io_read_file(fd, "fields.idxl", FIELDS_MAX, &changes, &nchanges) < 0)
        nchanges = 0;
    int r = io_read_file(fd, "fields.idx", FIELDS_MAX, &index, &n) < 0
                ? -EBADMSG
                : fieldsidx_read(index, n, &v);
    if (r == -EBADMSG || r == 0)
        r = nchanges ? fieldsidx_changes(changes, nchanges, &v) : 0;
    return r == -ENOMEM ? r : 0;
}
