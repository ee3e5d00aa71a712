/* SPDX-License-Identifier: MIT */
/* Points into one format each, for dump.c. */
#ifndef INFLUXFS_EXPORT_DUMP_INTERNAL_H
#define INFLUXFS_EXPORT_DUMP_INTERNAL_H

#include "store/export/dump.h"
#include "store/export/gotext.h"
#include "store/points/points.h"

/* A field that line protocol cannot express. */
struct lines_field {
    const char *why; /* NULL: it can */
    uint64_t left;   /* values that were left out */
};

/* What line protocol leaves out. */
struct lines {
    struct lines_field *fields; /* one for each column */
    struct slice key;           /* of the series at hand */
    const char *why;            /* it cannot be expressed; NULL: it can */
    bool whole;                 /* nor can the measurement */
    uint64_t left;              /* points of it that were left out, or of the measurement */
    size_t series;              /* of which some were */
    uint64_t more;              /* points of those that are not named */
};

struct dump {
    enum dump_format format;
    struct dump_query query;
    struct lines lines;
    struct points *points; /* for POINTS_ANSWER (JSON, CSV) or POINTS_ALL (line protocol) */
    struct slice measurement;
    struct buffer *names; /* of the columns, as this format writes them */
    struct buffer prefix; /* what each row begins with */
    uint64_t rows;        /* written so far */
    bool ended;
    struct buffer text; /* what was made last */
    struct gotext_day day;
    size_t at; /* how much of it has been read */
};

struct points_query dump_points_query(const struct dump_query *q);

/* Of JSON and CSV (dump_answer.c): what comes before the first row; each row; what comes after the
 * last one, also if there is none; a value of JSON. */
void dump_json_head(struct dump *d);
void dump_json_row(struct dump *d, const struct points_row *row);
void dump_json_tail(struct dump *d);
void dump_json_cell(struct buffer *o, const struct points_cell *c);
void dump_csv_head(struct dump *d);
void dump_csv_row(struct dump *d, const struct points_row *row);

/* Of line protocol (dump_lines.c). */
void dump_lines_name(struct buffer *o, struct slice name);
int dump_lines_begin(struct dump *d); /* 0 or -ENOMEM */
int dump_lines_row(struct dump *d, const struct points_row *row, struct err *e);
void dump_lines_tail(struct dump *d);

#endif
