/* SPDX-License-Identifier: MIT */
/* The sections of the page (report_html.c), each in its file. Each appends itself, or nothing if it
 * has nothing to say. The page stays short whatever the store is: of long lists the first rows are
 * shown, and the rest as one. */
#ifndef INFLUXFS_PROGRAM_REPORT_HTML_INTERNAL_H
#define INFLUXFS_PROGRAM_REPORT_HTML_INTERNAL_H

#include "store/program/html.h"
#include "store/program/report.h"
#include "store/program/troubles.h"

void html_verdict(struct buffer *b, const struct troubles *t);
void html_troubles(struct buffer *b, const struct troubles *t);
void html_glance(struct buffer *b, const struct report *r);
void html_contents(struct buffer *b, const struct report *r);
void html_cuts(struct buffer *b, const struct report *r);
void html_timeline(struct buffer *b, const struct report *r);
void html_space(struct buffer *b, const struct report *r);
void html_restoring(struct buffer *b, const struct report *r);
void html_past(struct buffer *b, const struct report *r);
void html_mount(struct buffer *b, const struct report *r);

/* A bar over the width of its place: `first` and then `second` of `whole`, for eyes only. */
void html_bar(struct buffer *b, uint64_t first, uint64_t second, uint64_t whole);

#endif
