/* SPDX-License-Identifier: MIT */
#include "store/points/answer_code.h"

#include "store/influx/bytes.h"

static void code_put_number(struct buffer *to, uint64_t v)
{
    uint8_t *p = (uint8_t *)buffer_reserve(to, 10);
    size_t n = 0;
    if (!p)
        return;
    for (; v >= 0x80; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    to->n += n;
}

static void code_put_text(struct buffer *to, struct slice text)
{
    code_put_number(to, text.n);
    buffer_add(to, text.p, text.n);
}

void answer_put_series(struct buffer *to, uint32_t number, const struct series *s,
                       const struct columns *c)
{
    code_put_number(to, number);
    code_put_number(to, s->nfields);
    for (size_t i = 0; i < s->nfields; i++)
        code_put_number(to, s->fields[i].column);
    for (size_t i = 0; i < c->n; i++) {
        if (!c->list[i].is_tag || !s->cells[i].present)
            continue;
        code_put_number(to, i);
        code_put_text(to, points_text(&s->cells[i]));
    }
}

static void code_put_value(struct buffer *to, const struct points_cell *c)
{
    switch (c->type) {
    case VALUE_INTEGER:
        code_put_number(to, (uint64_t)c->value.i << 1 ^ (uint64_t)(c->value.i >> 63));
        break;
    case VALUE_UNSIGNED:
        code_put_number(to, c->value.u);
        break;
    case VALUE_BOOLEAN:
        buffer_add(to, c->value.b ? "\1" : "\0", 1);
        break;
    case VALUE_STRING:
        code_put_text(to, points_text(c));
        break;
    default:
        buffer_add(to, &c->value.f, sizeof(c->value.f));
    }
}

void answer_put_row(struct buffer *to, uint64_t place, uint64_t delta)
{
    code_put_number(to, place);
    code_put_number(to, delta);
}

void answer_put_values(struct buffer *to, const struct series *s)
{
    for (size_t i = 0; i < s->nfields; i += 8) {
        char bits = 0;
        for (size_t k = i; k < s->nfields && k < i + 8; k++)
            bits = (char)(bits | s->cells[s->fields[k].column].present << (k - i));
        buffer_add(to, &bits, 1);
    }
    for (size_t i = 0; i < s->nfields; i++)
        if (s->cells[s->fields[i].column].present)
            code_put_value(to, &s->cells[s->fields[i].column]);
}

/* What is left of the bytes. */
static struct slice code_rest(const struct bytes *b)
{
    return (struct slice){(const char *)b->p, b->n};
}

static struct bytes code_bytes(struct slice s)
{
    return (struct bytes){(const uint8_t *)s.p, s.n};
}

bool answer_take_row(struct slice *row, struct answer_row *out)
{
    struct bytes b = code_bytes(*row);
    if (!bytes_uvarint(&b, &out->place) || !bytes_uvarint(&b, &out->delta))
        return false;
    *row = code_rest(&b);
    return true;
}

bool answer_take_number(struct slice *series, uint32_t *number)
{
    struct bytes b = code_bytes(*series);
    uint64_t v;
    if (!bytes_uvarint(&b, &v) || v > UINT32_MAX)
        return false;
    *number = (uint32_t)v;
    *series = code_rest(&b);
    return true;
}

static bool code_take_text(struct bytes *b, struct points_cell *c)
{
    const void *text;
    uint64_t n;
    if (!bytes_uvarint(b, &n) || n > UINT32_MAX || !bytes_take(b, n, &text))
        return false;
    c->text = text;
    c->value.s.off = 0;
    c->value.s.len = (uint32_t)n;
    return true;
}

static bool code_take_value(struct bytes *b, struct points_cell *c)
{
    const void *p;
    switch (c->type) {
    case VALUE_INTEGER:
        if (!bytes_uvarint(b, &c->value.u))
            return false;
        c->value.u = c->value.u >> 1 ^ (0 - (c->value.u & 1));
        return true;
    case VALUE_UNSIGNED:
        return bytes_uvarint(b, &c->value.u);
    case VALUE_BOOLEAN:
        if (!bytes_take(b, 1, &p))
            return false;
        c->value.b = *(const char *)p;
        return true;
    case VALUE_STRING:
        return code_take_text(b, c);
    default:
        if (!bytes_take(b, sizeof(c->value.f), &p))
            return false;
        memcpy(&c->value.f, p, sizeof(c->value.f));
        return true;
    }
}

/* The next column of a series. */
static bool code_take_column(struct bytes *b, const struct columns *c, bool is_tag, uint64_t *i)
{
    return bytes_uvarint(b, i) && *i < c->n && c->list[*i].is_tag == is_tag;
}

/* Takes the cells of the fields of a series, or passes over them. */
static bool code_take_fields(struct bytes *series, const struct columns *c,
                             const struct slice *values, struct points_cell *cells)
{
    struct bytes v = code_bytes(values ? *values : (struct slice){NULL, 0});
    const uint8_t *bits = v.p;
    uint64_t n, column;
    if (!bytes_uvarint(series, &n) || (values && !bytes_skip(&v, n / 8 + (n % 8 != 0))))
        return false;
    for (uint64_t i = 0; i < n; i++) {
        if (!code_take_column(series, c, false, &column))
            return false;
        struct points_cell *cell = &cells[column];
        cell->type = c->list[column].type;
        cell->present = values && bits[i / 8] >> (i % 8) & 1;
        if (cell->present && !code_take_value(&v, cell))
            return false;
    }
    return v.n == 0;
}

bool answer_take_cells(const struct columns *c, struct slice series, const struct slice *values,
                       struct points_cell *cells)
{
    struct bytes s = code_bytes(series);
    uint64_t column;
    memset(cells, 0, c->n * sizeof(*cells));
    if (!code_take_fields(&s, c, values, cells))
        return false;
    while (s.n > 0) {
        if (!code_take_column(&s, c, true, &column) || !code_take_text(&s, &cells[column]))
            return false;
        cells[column].present = true;
        cells[column].type = VALUE_STRING;
    }
    return true;
}
