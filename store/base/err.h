/* SPDX-License-Identifier: MIT */
/*
 * A message about what went wrong, beside the -errno that a function returns.
 *
 * Every fallible function of store/ returns 0 (or a count) on success and a negative errno on
 * failure. Where errno alone would leave an operator guessing, it also takes a struct err. The
 * message is one line: the file, the cause and, if there is one, the remedy. Outputs are written
 * only on success.
 */
#ifndef INFLUXFS_BASE_ERR_H
#define INFLUXFS_BASE_ERR_H

#include <stdarg.h>

struct err {
    char text[768]; /* NUL-terminated; empty if nothing went wrong */
};

/* Writes the text and returns code (a negative errno). e may be NULL. Newlines and other control
 * bytes, which names may contain, become '?'. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, followed by ": " and the strerror(3) of code. */
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Writes the text alone. */
void err_format(struct err *e, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* For messages: what "%zu file%s" needs after the number n. */
static inline const char *plural(unsigned long long n)
{
    return n == 1 ? "" : "s";
}

#endif
