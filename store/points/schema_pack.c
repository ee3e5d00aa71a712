/* SPDX-License-Identifier: MIT */
/*
 * A schema as bytes: for each measurement
 *
 *   name
 *   | count of fields, { type, name }…
 *   | count of tags,   { name }…
 *   | count of days,   { first, last }…
 *
 * Numbers are u32 in the order of the machine; a name is its length and its bytes.
 */
#include "store/base/buffer.h"
#include "store/points/schema_internal.h"

#include <errno.h>
#include <string.h>

static void pack_put(struct buffer *b, uint32_t v)
{
    buffer_add(b, &v, sizeof(v));
}

static void pack_put_name(struct buffer *b, struct slice name)
{
    pack_put(b, (uint32_t)name.n);
    buffer_add(b, name.p, name.n);
}

static void pack_put_measurement(struct buffer *b, const struct schema_measurement *m)
{
    pack_put_name(b, m->name);
    pack_put(b, (uint32_t)m->nfields);
    for (size_t i = 0; i < m->nfields; i++) {
        pack_put(b, m->fields[i].type);
        pack_put_name(b, m->fields[i].name);
    }
    pack_put(b, (uint32_t)m->ntags);
    for (size_t i = 0; i < m->ntags; i++)
        pack_put_name(b, m->tags[i]);
    pack_put(b, (uint32_t)m->days.n);
    for (size_t i = 0; i < m->days.n; i++) {
        pack_put(b, (uint32_t)m->days.list[i].first);
        pack_put(b, (uint32_t)m->days.list[i].last);
    }
}

int schema_pack(const struct schema *o, void **bytes, size_t *n)
{
    struct buffer b = {0};
    for (size_t i = 0; i < o->n; i++)
        pack_put_measurement(&b, &o->list[i]->m);
    buffer_add(&b, NULL, 0); /* so that even an empty buffer has memory */
    if (b.failed) {
        buffer_free(&b);
        return -ENOMEM;
    }
    *bytes = b.p;
    *n = b.n;
    return 0;
}

/* What is left to be read. */
struct packed {
    const char *p;
    size_t n;
    bool bad;
};

static uint32_t pack_take(struct packed *in)
{
    uint32_t v = 0;
    if (in->n < sizeof(v)) {
        in->bad = true;
        in->n = 0;
        return 0;
    }
    memcpy(&v, in->p, sizeof(v));
    in->p += sizeof(v);
    in->n -= sizeof(v);
    return v;
}

static struct slice pack_take_name(struct packed *in)
{
    size_t n = pack_take(in);
    if (n > in->n) {
        in->bad = true;
        in->n = n = 0;
    }
    struct slice name = {in->p, n};
    in->p += n;
    in->n -= n;
    return name;
}

/* All possible days, and one more at either end. */
#define LAST_DAY (INT64_MAX / DAY_NS + 1)

static struct day_range pack_take_days(struct packed *in)
{
    struct day_range days = {(int32_t)pack_take(in), 0};
    days.last = (int32_t)pack_take(in);
    in->bad |= days.first > days.last || days.first < -LAST_DAY || days.last > LAST_DAY;
    return days;
}

/* Reads the part after the name; n NULL: skips it. */
static int pack_take_measurement(struct packed *in, struct schema_entry *n)
{
    int r = 0;
    for (uint32_t i = pack_take(in); r == 0 && !in->bad && i > 0; i--) {
        uint32_t type = pack_take(in);
        struct slice name = pack_take_name(in);
        in->bad |= type >= VALUE_TYPES;
        r = in->bad || !n ? 0 : schema_add_field(n, name, (enum value_type)type);
    }
    for (uint32_t i = pack_take(in); r == 0 && !in->bad && i > 0; i--) {
        struct slice name = pack_take_name(in);
        r = in->bad || !n ? 0 : schema_add_tag(n, name);
    }
    for (uint32_t i = pack_take(in); r == 0 && !in->bad && i > 0; i--) {
        struct day_range days = pack_take_days(in);
        r = in->bad || !n ? 0 : days_add(&n->m.days, days);
    }
    return r;
}

bool schema_is_packed(const void *bytes, size_t n)
{
    struct packed in = {bytes, n, false};
    while (in.n > 0 && !in.bad) {
        pack_take_name(&in);
        pack_take_measurement(&in, NULL);
    }
    return !in.bad;
}

int schema_unpack(struct schema *o, const void *bytes, size_t n)
{
    struct packed in = {bytes, n, false};
    int r = 0;
    while (r == 0 && in.n > 0 && !in.bad) {
        struct schema_entry *entry = schema_entry(o, pack_take_name(&in));
        r = entry ? pack_take_measurement(&in, entry) : -ENOMEM;
    }
    return r == 0 && in.bad ? -EBADMSG : r;
}

int schema_unpack_one(struct schema *o, const void *bytes, size_t n, struct slice measurement)
{
    struct packed in = {bytes, n, false};
    int r = 0;
    while (r == 0 && in.n > 0 && !in.bad) {
        struct slice name = pack_take_name(&in);
        bool wanted = slice_compare(name, measurement) == 0;
        struct schema_entry *entry = wanted ? schema_entry(o, name) : NULL;
        r = wanted && !entry ? -ENOMEM : pack_take_measurement(&in, entry);
        if (wanted)
            break;
    }
    return r == 0 && in.bad ? -EBADMSG : r;
}
