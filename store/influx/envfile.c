/* SPDX-License-Identifier: MIT */
/* The states are those of systemd's own reader (src/basic/env-file.c), so that what is odd in it is
 * the same here. */
#include "store/influx/envfile.h"

#include "store/base/cleanup.h"
#include "store/base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum envfile_state {
    PRE_NAME,
    NAME,
    PRE_VALUE, /* also after a quote */
    VALUE,
    VALUE_ESCAPE,
    SINGLE_QUOTE,
    DOUBLE_QUOTE,
    DOUBLE_QUOTE_ESCAPE,
    COMMENT,
    COMMENT_ESCAPE
};

/* A text that grows. Blanks at its end belong to it once something follows them. */
struct part {
    char *p;
    size_t n, end;
};

struct envfile {
    const char *file;
    int (*fn)(void *arg, const char *variable, const char *value);
    void *arg;
    struct err *e;
    enum envfile_state state;
    struct part name, value; /* each has space for the whole file */
    unsigned line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_newline(char c)
{
    return c == '\n' || c == '\r';
}

static void part_add(struct part *t, char c)
{
    t->p[t->n++] = c;
    t->end = t->n;
}

static void part_add_plain(struct part *t, char c)
{
    t->p[t->n++] = c;
    if (!is_blank(c))
        t->end = t->n;
}

static const char *part_take(struct part *t)
{
    t->p[t->end] = 0;
    t->n = t->end = 0;
    return t->p;
}

/* Also without what Unicode says is no character, as systemd has it. */
static bool envfile_is_utf8(const char *text)
{
    size_t n;
    for (size_t left = strlen(text); left; text += n, left -= n) {
        if (!(n = utf8_character(text, left)))
            return false;
        uint32_t code = utf8_code(text, n);
        if ((code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) == 0xfffe)
            return false;
    }
    return true;
}

static bool envfile_is_name(const char *s)
{
    if (isdigit((unsigned char)*s))
        return false;
    return *s &&
           s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] == 0;
}

static int envfile_refuse(const struct envfile *f)
{
    return err_set(f->e, -EINVAL,
                   "%s:%u: not UTF-8, for which systemd ignores the whole file: correct the line",
                   f->file, f->line);
}

static int envfile_end_value(struct envfile *f)
{
    const char *name = part_take(&f->name), *value = part_take(&f->value);
    f->state = PRE_NAME;
    if (!envfile_is_utf8(name) || !envfile_is_utf8(value))
        return envfile_refuse(f);
    return envfile_is_name(name) ? f->fn(f->arg, name, value) : 0;
}

static void envfile_in_name(struct envfile *f, char c)
{
    if (f->state == PRE_NAME && (is_blank(c) || is_newline(c)))
        return;
    if (f->state == PRE_NAME && (c == '#' || c == ';')) {
        f->state = COMMENT;
    } else if (is_newline(c)) {
        part_take(&f->name);
        f->state = PRE_NAME;
    } else if (f->state == NAME && c == '=') {
        f->state = PRE_VALUE;
    } else {
        f->state = NAME;
        part_add_plain(&f->name, c);
    }
}

static int envfile_in_value(struct envfile *f, char c)
{
    if (is_newline(c))
        return envfile_end_value(f);
    if (c == '\\') {
        f->value.end = f->value.n; /* blanks before it count */
        f->state = VALUE_ESCAPE;
    } else if (f->state == PRE_VALUE && c == '\'') {
        f->state = SINGLE_QUOTE;
    } else if (f->state == PRE_VALUE && c == '"') {
        f->state = DOUBLE_QUOTE;
    } else if (f->state == VALUE || !is_blank(c)) {
        f->state = VALUE;
        part_add_plain(&f->value, c);
    }
    return 0;
}

static void envfile_in_quotes(struct envfile *f, char c)
{
    if (c == (f->state == SINGLE_QUOTE ? '\'' : '"'))
        f->state = PRE_VALUE;
    else if (f->state == DOUBLE_QUOTE && c == '\\')
        f->state = DOUBLE_QUOTE_ESCAPE;
    else
        part_add(&f->value, c);
}

static void envfile_after_backslash(struct envfile *f, char c)
{
    if (f->state == VALUE_ESCAPE) {
        f->state = VALUE;
        if (!is_newline(c))
            part_add(&f->value, c);
        return;
    }
    f->state = DOUBLE_QUOTE;
    if (c == '\n')
        return;
    if (!strchr("\"\\`$", c))
        part_add(&f->value, '\\');
    part_add(&f->value, c);
}

static int envfile_take(struct envfile *f, char c)
{
    switch (f->state) {
    case PRE_NAME:
    case NAME:
        envfile_in_name(f, c);
        return 0;
    case PRE_VALUE:
    case VALUE:
        return envfile_in_value(f, c);
    case SINGLE_QUOTE:
    case DOUBLE_QUOTE:
        envfile_in_quotes(f, c);
        return 0;
    case VALUE_ESCAPE:
    case DOUBLE_QUOTE_ESCAPE:
        envfile_after_backslash(f, c);
        return 0;
    case COMMENT:
        f->state = c == '\\' ? COMMENT_ESCAPE : is_newline(c) ? PRE_NAME : COMMENT;
        return 0;
    case COMMENT_ESCAPE:
        f->state = COMMENT;
        return 0;
    }
    return 0;
}

int envfile_read(const char *text, size_t len, const char *name,
                 int (*fn)(void *arg, const char *variable, const char *value), void *arg,
                 struct err *e)
{
    autofree char *of_name = malloc(len + 1), *of_value = malloc(len + 1);
    struct envfile f = {.file = name, .fn = fn, .arg = arg, .e = e, .line = 1};
    int r = 0;
    if (!of_name || !of_value)
        return err_sys(e, -ENOMEM, "%s", name);
    f.name.p = of_name;
    f.value.p = of_value;
    for (size_t i = 0; r == 0 && i < len; i++) {
        r = text[i] ? envfile_take(&f, text[i]) : envfile_refuse(&f);
        f.line += text[i] == '\n';
    }
    /* An escape or a quote may be open. */
    bool has_value = f.state >= PRE_VALUE && f.state <= DOUBLE_QUOTE_ESCAPE;
    return r == 0 && has_value ? envfile_end_value(&f) : r;
}
