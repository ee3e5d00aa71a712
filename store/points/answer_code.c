/* SPDX-License-Identifier: MIT */
#include "store/points/answer_code.h"

#include "store/influx/bytes.h"

void answer_put_uvarint(struct buffer *to, uint64_t v)
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
    answer_put_uvarint(to, text.n);
    buffer_add(to, text.p, text.n);
}

void answer_put_series(struct buffer *to, const struct series *s, const struct columns *c)
{
    answer_put_uvarint(to, s->nfields);
    for (size_t i = 0; i < s->nfields; i++)
        answer_put_uvarint(to, s->fields[i].column);
    for (size_t i = 0; i < c->n; i++) {
        if (!c->list[i].is_tag || !s->cells[i].present)
            continue;
        answer_put_uvarint(to, i);
        code_put_text(to, points_text(&s->cells[i]));
    }
}

static void code_put_value(struct buffer *to, const struct points_cell *c)
{
    switch (c->type) {
    case VALUE_INTEGER:
        answer_put_uvarint(to, (uint64_t)c->value.i << 1 ^ (uint64_t)(c->value.i >> 63));
        break;
    case VALUE_UNSIGNED:
        answer_put_uvarint(to, c->value.u);
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

bool answer_take_row(struct slice row, struct answer_row *out)
{
    struct bytes b = {(const uint8_t *)row.p, row.n};
    if (!bytes_uvarint(&b, &out->distance) || !bytes_uvarint(&b, &out->delta))
        return false;
    out->nvalues = b.n;
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

bool answer_take_cells(const struct columns *c, struct slice series, struct slice values,
                       struct points_cell *cells)
{
    struct bytes s = {(const uint8_t *)series.p, series.n};
    struct bytes v = {(const uint8_t *)values.p, values.n};
    const uint8_t *bits = v.p;
    uint64_t n, column;
    memset(cells, 0, c->n * sizeof(*cells));
    if (!bytes_uvarint(&s, &n) || !bytes_skip(&v, n / 8 + (n % 8 != 0)))
        return false;
    for (uint64_t i = 0; i < n; i++) {
        if (!code_take_column(&s, c, false, &column))
            return false;
        struct points_cell *cell = &cells[column];
        cell->type = c->list[column].type;
        cell->present = bits[i / 8] >> (i % 8) & 1;
        if (cell->present && !code_take_value(&v, cell))
            return false;
    }
    while (s.n > 0) {
        if (!code_take_column(&s, c, true, &column) || !code_take_text(&s, &cells[column]))
            return false;
        cells[column].present = true;
        cells[column].type = VALUE_STRING;
    }
    return v.n == 0;
}
