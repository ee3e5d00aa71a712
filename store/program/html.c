/* SPDX-License-Identifier: MIT */
#include "store/program/html.h"

#include "store/base/err.h"
#include "store/base/size.h"
#include "store/base/time.h"
#include "store/base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

void html_markup(struct buffer *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *to = n < 0 ? NULL : buffer_reserve(b, (size_t)n + 1);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    b->failed = b->failed || !to;
    va_end(again);
    va_end(ap);
}

/* Characters that nobody sees, or that turn the direction of what follows: Unicode's categories Cc
 * and Cf, its line separators, fillers, and what is no character. */
static bool html_is_unseen(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},
        {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},
        {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},
        {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfdd0, 0xfdef},
        {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x110bd, 0x110bd},
        {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return (code & 0xfffe) == 0xfffe;
}

/* Adds one character of n bytes. */
static void html_character(struct buffer *b, const char *p, size_t n)
{
    switch (*p) {
    case '<':
        return buffer_string(b, "&lt;");
    case '>':
        return buffer_string(b, "&gt;");
    case '&':
        return buffer_string(b, "&amp;");
    case '"':
        return buffer_string(b, "&quot;");
    case '\'':
        return buffer_string(b, "&#39;");
    }
    uint32_t code = utf8_code(p, n);
    if (html_is_unseen(code))
        html_markup(b, "[U+%04" PRIX32 "]", code);
    else
        buffer_add(b, p, n);
}

/* Adds at most `most` characters. Returns whether that was the whole text. */
static bool html_add(struct buffer *b, const char *text, size_t most)
{
    for (; *text && most; most--) {
        /* No more is looked at than one character may have: the text ends by a NUL. */
        size_t n = utf8_character(text, strnlen(text, 4));
        if (n)
            html_character(b, text, n);
        else
            buffer_string(b, UTF8_REPLACEMENT);
        text += n ? n : 1;
    }
    return !*text;
}

void html_text(struct buffer *b, const char *text, size_t most)
{
    if (!html_add(b, text, most))
        buffer_string(b, "…");
}

/* <bdi>: whatever the direction of its text, it does not touch that of what surrounds it. */
static void html_isolated(struct buffer *b, const char *class, const char *text, size_t most)
{
    struct buffer shown = {0};
    bool whole = html_add(&shown, text, most);
    html_markup(b, "<bdi class=\"%s\"", class);
    if (!whole && most < HTML_WORDS) {
        buffer_string(b, " title=\"");
        html_text(b, text, HTML_WORDS);
        buffer_string(b, "\"");
    }
    buffer_string(b, ">");
    buffer_add(b, shown.p, shown.n);
    buffer_string(b, whole ? "</bdi>" : "…</bdi>");
    b->failed = b->failed || shown.failed;
    buffer_free(&shown);
}

void html_name(struct buffer *b, const char *name)
{
    html_isolated(b, "name", name, HTML_NAME);
}

void html_words(struct buffer *b, const char *text)
{
    html_isolated(b, "words", text, HTML_WORDS);
}

/* "1,234,567" */
static const char *grouped(uint64_t n, char out[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

void html_size(struct buffer *b, uint64_t bytes)
{
    char words[SIZE_TEXT], exact[32];
    size_text((double)bytes, words);
    html_markup(b, "<span class=\"size\" title=\"%s byte%s\">%s</span>", grouped(bytes, exact),
                plural(bytes), words);
}

void html_count(struct buffer *b, uint64_t n)
{
    char text[32];
    html_markup(b, "%s", grouped(n, text));
}

void html_counted(struct buffer *b, uint64_t n, const char *noun)
{
    char text[32];
    html_markup(b, "%s %s%s", grouped(n, text), noun, plural(n));
}

void html_time(struct buffer *b, int64_t ns)
{
    char text[TIME_TEXT];
    if (!ns)
        return buffer_string(b, "never");
    time_text(ns, text);
    html_markup(b, "<time datetime=\"%s\">%.10s %.8s</time>", text, text, text + 11);
}

const char *html_span(int64_t ns, char out[HTML_SPAN])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t s = ns / SECOND_NS;
    size_t u = 0;
    if (ns < 10 * SECOND_NS) {
        double ms = ns > 0 ? (double)ns / 1e6 : 0;
        snprintf(out, HTML_SPAN, ms < 1000 ? "%.0f ms" : "%.1f s", ms < 1000 ? ms : ms / 1000);
        return out;
    }
    while (s < units[u].seconds)
        u++;
    int64_t rest = u < 3 ? s % units[u].seconds / units[u + 1].seconds : 0;
    int n = snprintf(out, HTML_SPAN, "%" PRId64 " %s", s / units[u].seconds, units[u].name);
    if (rest)
        snprintf(out + n, (size_t)(HTML_SPAN - n), " %" PRId64 " %s", rest, units[u + 1].name);
    return out;
}
