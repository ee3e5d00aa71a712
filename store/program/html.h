/* SPDX-License-Identifier: MIT */
/*
 * HTML, appended to a buffer. What a page says by itself is html_markup(). Everything that comes
 * from a store, such as a name, a path or an error, goes through html_text(), html_name() or
 * html_words(), so that it cannot become markup nor reorder the page:
 *
 *   < > & " '           as entities: the same inside an attribute in double quotes
 *   outside a character U+FFFD, for each byte
 *   invisible, or turns the direction of text: its code, such as "[U+202E]"
 */
#ifndef INFLUXFS_PROGRAM_HTML_H
#define INFLUXFS_PROGRAM_HTML_H

#include "store/base/buffer.h"

#include <stdint.h>

/* The most characters that are shown of a name, and of a text; an ellipsis stands for the rest. */
#define HTML_NAME 100
#define HTML_WORDS 1200

/* Markup: none of its arguments may come from a store. */
void html_markup(struct buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* At most `most` characters of a text. */
void html_text(struct buffer *b, const char *text, size_t most);

/* A name or path as an element in which its direction stays; the whole in its title if it is cut
 * short. html_words: a text likewise, such as an error. */
void html_name(struct buffer *b, const char *name);
void html_words(struct buffer *b, const char *text);

/* An element with words for people and the exact value in its title: "1.5 GiB"; "1,234,567". */
void html_size(struct buffer *b, uint64_t bytes);
void html_count(struct buffer *b, uint64_t n);

/* "12 files": with the noun's plural by an s. */
void html_counted(struct buffer *b, uint64_t n, const char *noun);

/* "2016-06-11 12:00:00" in UTC, in an element with the exact time; "never" for 0. */
void html_time(struct buffer *b, int64_t ns);

/* A length of time in its two largest units: "3 h 20 min", "0.8 s". */
#define HTML_SPAN 32
const char *html_span(int64_t ns, char out[HTML_SPAN]);

#endif
