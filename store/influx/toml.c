/* SPDX-License-Identifier: MIT */
#include "store/influx/toml.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define KEY_BYTES 4096 /* all parts of one key path, with their NULs */
#define KEY_PARTS 32
#define NESTING_MAX 64

/* Bytes being put together, with room for the NUL. */
struct sink {
    char *s;
    size_t n, cap;
};

struct toml {
    const char *p, *end;
    unsigned line;
    const char *name;
    struct err *e;
    toml_fn *fn;
    void *arg;
    const char *key[KEY_PARTS];
    size_t depth;
    struct sink keys; /* holds the parts of key, one after the other */
    struct sink
        value; /* the last string or word; an escape is never shorter than what it stands for */
    unsigned nesting; /* of arrays and inline tables */
    unsigned arrays;  /* how many arrays (of tables too) surround this place */
};

enum kind { KIND_LIST, KIND_STRING, KIND_WORD };
static int toml_value(struct toml *t, enum kind *kind);

static int fail(const struct toml *t, const char *what)
{
    return err_set(t->e, -EINVAL, "%s:%u: %s", t->name, t->line, what);
}

static int peek(const struct toml *t)
{
    return t->p < t->end ? (unsigned char)*t->p : -1;
}

static bool at(const struct toml *t, const char *s)
{
    size_t n = strlen(s);
    return (size_t)(t->end - t->p) >= n && memcmp(t->p, s, n) == 0;
}

static bool eat(struct toml *t, const char *s)
{
    bool yes = at(t, s);
    if (yes)
        t->p += strlen(s);
    return yes;
}

static bool eat_newline(struct toml *t)
{
    bool yes = eat(t, "\n") || eat(t, "\r\n");
    t->line += yes;
    return yes;
}

static void skip_blank(struct toml *t)
{
    while (eat(t, " ") || eat(t, "\t"))
        ;
}

static void skip_comment(struct toml *t)
{
    if (peek(t) == '#')
        while (peek(t) >= 0 && !at(t, "\n") && !at(t, "\r\n"))
            t->p++;
}

/* Blanks, line ends and comments. */
static void skip_space(struct toml *t)
{
    do {
        skip_blank(t);
        skip_comment(t);
    } while (eat_newline(t));
}

static int end_of_line(struct toml *t)
{
    skip_blank(t);
    skip_comment(t);
    return peek(t) < 0 || eat_newline(t) ? 0 : fail(t, "more on the line than was expected");
}

static int put(const struct toml *t, struct sink *out, int byte)
{
    if (out->n + 1 >= out->cap)
        return fail(t, "too long");
    out->s[out->n++] = (char)byte;
    return 0;
}

static int put_utf8(const struct toml *t, struct sink *out, uint32_t c)
{
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return fail(t, "an escape that stands for no character");
    if (c < 0x80)
        return put(t, out, (int)c);
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    int r = put(t, out, (int)((0xff00u >> (more + 1) & 0xff) | c >> 6 * more));
    while (r == 0 && more-- > 0)
        r = put(t, out, (int)(0x80 | (c >> 6 * more & 0x3f)));
    return r;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int unicode_escape(struct toml *t, struct sink *out, int digits)
{
    uint32_t c = 0;
    while (digits--) {
        int d = hex_digit(peek(t));
        if (d < 0)
            return fail(t, "an escape with too few digits");
        c = c << 4 | (uint32_t)d;
        t->p++;
    }
    return put_utf8(t, out, c);
}

/* What follows a backslash. */
static int toml_escape(struct toml *t, struct sink *out, bool multiline)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    int c = peek(t);
    const char *which = c > 0 ? strchr(from, c) : NULL;
    if (which) {
        t->p++;
        return put(t, out, to[which - from]);
    }
    if (eat(t, "u"))
        return unicode_escape(t, out, 4);
    if (eat(t, "U"))
        return unicode_escape(t, out, 8);
    if (multiline) {
        skip_blank(t);
        if (eat_newline(t)) {
            do {
                skip_blank(t);
            } while (eat_newline(t));
            return 0;
        }
    }
    return fail(t, "an unknown escape in a string (a backslash is written as \\\\)");
}

/* One character of a string. */
static int toml_char(struct toml *t, struct sink *out, bool literal, bool multiline)
{
    if (multiline && eat_newline(t))
        return put(t, out, '\n');
    int c = peek(t);
    if (c < 0 || c == '\n' || c == '\r')
        return fail(t, "a string without an end");
    if ((c < ' ' && c != '\t') || c == 0x7f)
        return fail(t, "a control character in a string");
    t->p++;
    return c == '\\' && !literal ? toml_escape(t, out, multiline) : put(t, out, c);
}

/* A string at its opening quote, appended to out with a NUL. */
static int toml_string(struct toml *t, struct sink *out, bool may_span)
{
    bool literal = peek(t) == '\'';
    const char *quote = literal ? "'''" : "\"\"\"";
    bool multiline = may_span && at(t, quote);
    if (!multiline)
        quote += 2;
    eat(t, quote);
    if (multiline)
        eat_newline(t);
    int r = 0;
    while (r == 0 && !eat(t, quote))
        r = toml_char(t, out, literal, multiline);
    /* Up to two quotes may stand right before the closing three. */
    for (int i = 0; r == 0 && multiline && i < 2 && eat(t, quote + 2); i++)
        r = put(t, out, quote[0]);
    if (r < 0)
        return r;
    out->s[out->n++] = 0;
    return 0;
}

static bool is_bare(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

static int toml_key_part(struct toml *t)
{
    if (t->depth == KEY_PARTS || t->keys.n + 1 >= t->keys.cap)
        return fail(t, "a key of too many parts");
    const char *start = t->keys.s + t->keys.n;
    int r = 0;
    if (at(t, "\"") || at(t, "'")) {
        r = toml_string(t, &t->keys, false);
    } else {
        if (!is_bare(peek(t)))
            return fail(t, "a key was expected here");
        while (r == 0 && is_bare(peek(t)))
            r = put(t, &t->keys, *t->p++);
        if (r == 0)
            t->keys.s[t->keys.n++] = 0;
    }
    if (r == 0)
        t->key[t->depth++] = start;
    return r;
}

static int toml_dotted_key(struct toml *t)
{
    int r;
    do {
        skip_blank(t);
        r = toml_key_part(t);
        skip_blank(t);
    } while (r == 0 && eat(t, "."));
    return r;
}

static int report(const struct toml *t, enum kind kind)
{
    if (t->arrays)
        return 0;
    struct toml_item item = {.key = t->key,
                             .depth = t->depth,
                             .string = kind == KIND_STRING ? t->value.s : NULL,
                             .word = kind == KIND_WORD ? t->value.s : NULL,
                             .line = t->line};
    return t->fn(t->arg, &item);
}

/* KEY = VALUE; restores the path afterwards. */
static int toml_pair(struct toml *t)
{
    size_t depth = t->depth, used = t->keys.n;
    enum kind kind = KIND_LIST;
    int r = toml_dotted_key(t);
    if (r == 0 && !eat(t, "="))
        r = fail(t, "KEY = VALUE or [SECTION] was expected here");
    if (r == 0) {
        skip_blank(t);
        r = toml_value(t, &kind);
    }
    if (r == 0)
        r = report(t, kind);
    t->depth = depth;
    t->keys.n = used;
    return r;
}

/* The items between two brackets, separated by commas. A comma before the end is allowed, as in
 * TOML arrays. */
static int toml_list(struct toml *t, const char *close, bool table)
{
    enum kind ignored;
    for (;;) {
        skip_space(t);
        if (eat(t, close))
            return 0;
        int r = table ? toml_pair(t) : toml_value(t, &ignored);
        if (r < 0)
            return r;
        skip_space(t);
        if (!eat(t, ",") && !at(t, close))
            return fail(t, "a comma or a closing bracket was expected here");
    }
}

static int toml_bracketed(struct toml *t)
{
    if (t->nesting == NESTING_MAX)
        return fail(t, "brackets nested too deep");
    t->nesting++;
    bool table = *t->p++ == '{';
    t->arrays += !table;
    int r = toml_list(t, table ? "}" : "]", table);
    t->arrays -= !table;
    t->nesting--;
    return r;
}

static int toml_word(struct toml *t)
{
    int r = 0;
    while (r == 0 && (is_bare(peek(t)) || at(t, "+") || at(t, ".") || at(t, ":")))
        r = put(t, &t->value, *t->p++);
    if (r == 0 && t->value.n == 0)
        r = fail(t, "a value was expected here (strings stand between quotes)");
    if (r == 0)
        t->value.s[t->value.n] = 0;
    return r;
}

static int toml_value(struct toml *t, enum kind *kind)
{
    *kind = at(t, "\"") || at(t, "'") ? KIND_STRING : KIND_WORD;
    t->value.n = 0;
    if (*kind == KIND_STRING)
        return toml_string(t, &t->value, true);
    if (!at(t, "[") && !at(t, "{"))
        return toml_word(t);
    *kind = KIND_LIST;
    return toml_bracketed(t);
}

static int toml_header(struct toml *t)
{
    bool array = eat(t, "[[");
    if (!array)
        eat(t, "[");
    t->depth = 0;
    t->keys.n = 0;
    t->arrays = array;
    int r = toml_dotted_key(t);
    if (r == 0 && !eat(t, array ? "]]" : "]"))
        r = fail(t, "a section without its closing bracket");
    return r;
}

int toml_read(const char *text, size_t len, const char *name, toml_fn *fn, void *arg, struct err *e)
{
    autofree char *keys = malloc(KEY_BYTES);
    autofree char *values = malloc(len + 2);
    if (!keys || !values)
        return err_sys(e, -ENOMEM, "%s", name);
    struct toml t = {.p = text,
                     .end = text + len,
                     .line = 1,
                     .name = name,
                     .e = e,
                     .fn = fn,
                     .arg = arg,
                     .keys = {keys, 0, KEY_BYTES},
                     .value = {values, 0, len + 2}};
    eat(&t, "\xef\xbb\xbf");
    for (;;) {
        skip_space(&t);
        if (peek(&t) < 0)
            return 0;
        int r = at(&t, "[") ? toml_header(&t) : toml_pair(&t);
        if (r == 0)
            r = end_of_line(&t);
        if (r < 0)
            return r;
    }
}
