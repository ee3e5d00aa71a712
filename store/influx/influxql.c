/* SPDX-License-Identifier: MIT */
#include "store/influx/influxql.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Whether a value may end here: a slash after it divides. Anywhere else it begins a regular
 * expression. */
static bool influxql_ends_value(const struct influxql_token *last)
{
    static const char *const keywords[] = {"SELECT", "FROM", "BY", "INTO", "WHERE", "AND", "OR"};
    if (!last)
        return false;
    for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
        if (influxql_is(last, keywords[i]))
            return false;
    return last->kind != INFLUXQL_SIGN || *last->p == ')';
}

/* The end of what begins and ends with this character; NULL: it does not end. */
static const char *influxql_delimited(const char *p, char end)
{
    for (p++; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == end)
            return p + 1;
        else if (*p == '\n' && end != '/')
            return NULL;
    }
    return NULL;
}

/* After a number, with the units of a duration; the bytes above 127 are those of a micro sign. */
static const char *after_number(const char *p)
{
    while (is_word(*p) || (unsigned char)*p > 127 || (*p == '.' && is_digit(p[1])))
        p++;
    return p;
}

/* Skips space and comments; NULL: a comment does not end. */
static const char *influxql_skip(const char *p)
{
    for (;;) {
        p += strspn(p, " \t\r\n");
        if (strncmp(p, "--", 2) == 0) {
            p += strcspn(p, "\n");
        } else if (strncmp(p, "/*", 2) == 0) {
            p = strstr(p + 2, "*/");
            if (!p)
                return NULL;
            p += 2;
        } else {
            return p;
        }
    }
}

/* The end of the token at p, whose kind is found; NULL: it does not end. */
static const char *influxql_scan(const char *p, const struct influxql_token *last,
                                 enum influxql_kind *kind)
{
    const char *end = p;
    *kind = INFLUXQL_WORD;
    if (is_digit(*p) || (*p == '.' && is_digit(p[1]))) {
        *kind = INFLUXQL_VALUE;
        return after_number(p + 1);
    }
    while (is_word(*end))
        end++;
    if (end != p)
        return end;
    *kind = *p == '"'                                 ? INFLUXQL_NAME
            : *p == '\''                              ? INFLUXQL_VALUE
            : *p == '/' && !influxql_ends_value(last) ? INFLUXQL_REGEX
                                                      : INFLUXQL_SIGN;
    return *kind == INFLUXQL_SIGN ? p + 1 : influxql_delimited(p, *p);
}

int influxql_tokens(const char *text, struct influxql_token **out, size_t *n)
{
    autofree struct influxql_token *list = NULL;
    size_t count = 0;
    const char *p = text;
    for (;;) {
        const char *start = influxql_skip(p);
        if (!start)
            return -EBADMSG;
        if (!*start)
            break;
        struct influxql_token t = {.p = start, .apart = start != p};
        p = influxql_scan(start, count ? &list[count - 1] : NULL, &t.kind);
        if (!p)
            return -EBADMSG;
        t.n = (size_t)(p - start);
        if (!array_grow(&list, count))
            return -ENOMEM;
        list[count++] = t;
    }
    *out = steal_ptr(&list);
    *n = count;
    return 0;
}

bool influxql_is(const struct influxql_token *t, const char *keyword)
{
    return t->kind == INFLUXQL_WORD && t->n == strlen(keyword) &&
           strncasecmp(t->p, keyword, t->n) == 0;
}

bool influxql_is_sign(const struct influxql_token *t, char c)
{
    return t->kind == INFLUXQL_SIGN && *t->p == c;
}

bool influxql_names(const struct influxql_token *t, const char *name)
{
    if (t->kind == INFLUXQL_WORD)
        return t->n == strlen(name) && memcmp(t->p, name, t->n) == 0;
    if (t->kind != INFLUXQL_NAME)
        return false;
    const char *p = t->p + 1, *end = t->p + t->n - 1;
    for (; p < end && *name; p++, name++) {
        const bool escaped = *p == '\\' && p + 1 < end;
        p += escaped;
        if ((escaped && *p == 'n' ? '\n' : *p) != *name)
            return false;
    }
    return p == end && !*name;
}

static void influxql_put(struct buffer *out, const char *text, char quote)
{
    buffer_add(out, &quote, 1);
    for (; *text; text++) {
        if (*text == '\n') {
            buffer_string(out, "\\n");
            continue;
        }
        if (*text == quote || *text == '\\')
            buffer_string(out, "\\");
        buffer_add(out, text, 1);
    }
    buffer_add(out, &quote, 1);
}

void influxql_put_name(struct buffer *out, const char *name)
{
    influxql_put(out, name, '"');
}

void influxql_put_text(struct buffer *out, const char *text)
{
    influxql_put(out, text, '\'');
}

const char *influxql_privilege(int privilege)
{
    static const char *const names[] = {NULL, "READ", "WRITE", "ALL"};
    return privilege >= 1 && privilege <= 3 ? names[privilege] : NULL;
}

void influxql_put_grant(struct buffer *out, int privilege, const char *db, const char *user)
{
    buffer_string(out, "GRANT ");
    buffer_string(out, influxql_privilege(privilege));
    buffer_string(out, " ON ");
    influxql_put_name(out, db);
    buffer_string(out, " TO ");
    influxql_put_name(out, user);
}
