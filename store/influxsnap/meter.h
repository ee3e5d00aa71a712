/* SPDX-License-Identifier: MIT */
/* Progress on stderr: on a terminal a bar with bytes, rate and time left; otherwise a line for each
 * file; with --quiet nothing. One meter at a time. */
#ifndef INFLUXFS_INFLUXSNAP_METER_H
#define INFLUXFS_INFLUXSNAP_METER_H

#include <stdbool.h>
#include <stdint.h>

struct meter {
    const char *verb;
    bool bar;
    uint64_t done, total; /* bytes; total 0: not known */
    int64_t began, shown; /* monotonic */
};

/* verb: such as "backing up". */
void meter_begin(struct meter *m, const char *verb, uint64_t total);
void meter_file(struct meter *m, const char *name, uint64_t size);
void meter_add(struct meter *m, uint64_t bytes);

/* Removes the bar until the next progress, so that another line can be printed. */
void meter_hide(struct meter *m);

/* Removes the bar. May be called again, and for a zeroed meter. */
void meter_end(struct meter *m);

#endif
