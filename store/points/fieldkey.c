/* SPDX-License-Identifier: MIT */
#include "store/points/fieldkey.h"

#include <errno.h>

int fieldkey_split(struct slice key, const char *file, struct slice *series, struct slice *field,
                   struct err *e)
{
    if (serieskey_split(key, series, field) && field->n > 0)
        return 0;
    return err_set(e, -EBADMSG, "%s: damaged: a key without a field", file);
}

int fieldkey_two_types(struct slice field, const char *file, enum value_type here,
                       enum value_type elsewhere, struct err *e)
{
    static const char *const names[VALUE_TYPES] = {"float", "integer", "boolean", "string",
                                                   "unsigned"};
    return err_set(e, -EBADMSG, "%s: the field %.*s is %s here and %s elsewhere in its shard", file,
                   (int)field.n, field.p, names[here], names[elsewhere]);
}
