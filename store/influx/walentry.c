/* SPDX-License-Identifier: MIT */
#include "store/influx/walentry.h"

#include "store/influx/bytes.h"

#include <errno.h>
#include <string.h>

/* How the WAL numbers the types of values. */
static const enum value_type types[] = {
    [1] = VALUE_FLOAT,  [2] = VALUE_INTEGER,  [3] = VALUE_BOOLEAN,
    [4] = VALUE_STRING, [5] = VALUE_UNSIGNED,
};

static bool walentry_value(struct bytes *b, enum value_type type, union value *v, const void **text)
{
    uint64_t x;
    switch (type) {
    case VALUE_FLOAT:
    case VALUE_INTEGER:
    case VALUE_UNSIGNED:
        if (!bytes_be(b, 8, &x))
            return false;
        memcpy(v, &x, sizeof(x));
        return true;
    case VALUE_BOOLEAN:
        if (!bytes_be(b, 1, &x))
            return false;
        v->b = x == 1;
        return true;
    default:
        if (!bytes_be(b, 4, &x) || !bytes_take(b, x, text))
            return false;
        v->s.off = 0;
        v->s.len = (uint32_t)x;
        return true;
    }
}

static int walk_values(struct bytes *b, enum value_type type, uint64_t count,
                       const struct walentry_visitor *v)
{
    static const uint8_t sizes[VALUE_TYPES] = {
        [VALUE_FLOAT] = 8, [VALUE_INTEGER] = 8, [VALUE_UNSIGNED] = 8, [VALUE_BOOLEAN] = 1};
    const void *values;
    uint64_t time;
    if (!v->value && type != VALUE_STRING) /* only their number matters */
        return bytes_take(b, count * (8 + sizes[type]), &values) ? 0 : -EBADMSG;
    for (uint64_t i = 0; i < count; i++) {
        union value value = {.u = 0};
        const void *text = NULL;
        if (!bytes_be(b, 8, &time) || !walentry_value(b, type, &value, &text))
            return -EBADMSG;
        int r = v->value ? v->value(v->ctx, (int64_t)time, &value, text) : 0;
        if (r != 0)
            return r;
    }
    return 0;
}

static int walk_write(struct bytes b, const struct walentry_visitor *v)
{
    uint64_t type, len, count;
    const void *key;
    while (b.n > 0) {
        if (!bytes_be(&b, 1, &type) || type < 1 || type >= sizeof(types) / sizeof(types[0]) ||
            !bytes_be(&b, 2, &len) || !bytes_take(&b, len, &key) || !bytes_be(&b, 4, &count) ||
            count == 0 || count > b.n)
            return -EBADMSG;
        int r = v->key ? v->key(v->ctx, key, (size_t)len, types[type], (size_t)count) : 0;
        if (r == 0)
            r = walk_values(&b, types[type], count, v);
        if (r != 0)
            return r;
    }
    return 0;
}

static int walk_delete(struct bytes b, const struct walentry_visitor *v)
{
    int r = 0;
    while (r == 0 && b.n > 0) {
        const uint8_t *end = memchr(b.p, '\n', b.n);
        size_t len = end ? (size_t)(end - b.p) : b.n;
        if (len > 0 && v->remove)
            r = v->remove(v->ctx, (const char *)b.p, len, INT64_MIN, INT64_MAX);
        bytes_skip(&b, len + (end ? 1 : 0));
    }
    return r;
}

static int walk_delete_range(struct bytes b, const struct walentry_visitor *v)
{
    uint64_t min, max, len;
    const void *key;
    if (!bytes_be(&b, 8, &min) || !bytes_be(&b, 8, &max))
        return -EBADMSG;
    while (b.n > 0) {
        if (!bytes_be(&b, 4, &len) || !bytes_take(&b, len, &key))
            return -EBADMSG;
        int r = v->remove ? v->remove(v->ctx, key, (size_t)len, (int64_t)min, (int64_t)max) : 0;
        if (r != 0)
            return r;
    }
    return 0;
}

int walentry_walk(int type, const void *payload, size_t n, const struct walentry_visitor *v)
{
    struct bytes b = {payload, n};
    switch (type) {
    case WALENTRY_WRITE:
        return walk_write(b, v);
    case WALENTRY_DELETE:
        return walk_delete(b, v);
    case WALENTRY_DELETE_RANGE:
        return walk_delete_range(b, v);
    default:
        return -EBADMSG;
    }
}
