/* SPDX-License-Identifier: MIT */
/* Points in each format, for dump.c. */
#ifndef INFLUXFS_EXPORT_DUMP_INTERNAL_H
#define INFLUXFS_EXPORT_DUMP_INTERNAL_H

#include "store/export/dump.h"
#include "store/export/gotext.h"
#include "store/points/points.h"

/* A field that line protocol cannot express. */
struct lines_field {
    const char *why; /* NULL: it can */
    uint64_t left;   /* number of omitted values */
};

/* What line protocol leaves out. */
struct lines {
    struct lines_field *fields; /* one for each column */
    size_t *columns, ncolumns;  /* those of fields */
    struct buffer key;          /* of the current series, if it is left out */
    const char *why;            /* why it cannot be expressed; NULL: it can */
    bool whole;                 /* the measurement cannot be expressed either */
    uint64_t left;              /* omitted points of the series or the measurement */
    size_t series;              /* number of series with omitted points */
    uint64_t more;              /* omitted points of series that are not named */
};

struct dump {
    enum dump_format format;
    struct dump_query query;
    struct lines lines;
    struct points *points; /* for POINTS_ANSWER (JSON, CSV) or POINTS_ALL (line protocol) */
    struct slice measurement;
    struct buffer *names; /* the columns' names, in this format */
    struct buffer prefix; /* the beginning of each row */
    uint64_t rows;        /* written so far */
    bool ended;
    struct buffer text; /* the last piece made */
    struct gotext_day day;
    size_t at;        /* how much of it has been read */
    bool mark_wanted; /* a piece is to end where there is a mark */
};

struct points_query dump_points_query(const struct dump_query *q);

/* Whether dump_mark could give a mark after the row that was made last (dump_mark.c). */
bool dump_has_mark(const struct dump *d);

/* JSON and CSV (dump_answer.c): what d->prefix is of CSV, once; the text before the first row; each row; the text after the last
 * row, even without rows; a JSON value. */
void dump_json_head(struct dump *d);
void dump_json_row(struct dump *d, const struct points_row *row);
void dump_json_tail(struct dump *d);
void dump_json_cell(struct buffer *o, const struct points_cell *c);
void dump_csv_begin(struct dump *d);
void dump_csv_head(struct dump *d);
void dump_csv_row(struct dump *d, const struct points_row *row);

/* Of line protocol (dump_lines.c). */
void dump_lines_name(struct buffer *o, struct slice name);
int dump_lines_begin(struct dump *d); /* 0 or -ENOMEM */
void dump_lines_end(struct dump *d);  /* releases what dump_lines_begin made */
int dump_lines_row(struct dump *d, const struct points_row *row, struct err *e);
void dump_lines_tail(struct dump *d);

#endif
