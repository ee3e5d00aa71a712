/* SPDX-License-Identifier: MIT */
/*
 * What went wrong, in one line of words beside the -errno that a function returns.
 *
 * Every fallible function of store/ returns 0 (or a count) on success and a negative errno on
 * failure; where errno alone would leave an operator guessing it also takes a struct err. The
 * text names the file, the cause and, where there is something to do, what to do. It holds no
 * newline. Outputs are written only on success.
 */
#ifndef INFLUXFS_BASE_ERR_H
#define INFLUXFS_BASE_ERR_H

struct err {
    char text[768]; /* NUL-terminated; empty while nothing went wrong */
};

/* Writes the text and returns code (a negative errno). e may be NULL. Newlines and other control
 * bytes that names carry into the text are shown as '?'. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and the system's words for code appended. */
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
