/* SPDX-License-Identifier: MIT */
#include "store/base/log.h"

#include "store/base/err.h"

#include <stddef.h>

const char *const log_level_names[] = {"error", "warning", "info", "debug", NULL};

int log_most = -1;
static log_hook *log_to;

void log_set(log_hook *hook, enum log_level most)
{
    log_to = hook;
    log_most = hook ? (int)most : -1;
}

void log_write(enum log_level level, const char *fmt, ...)
{
    struct err line;
    va_list ap;
    va_start(ap, fmt);
    err_format(&line, fmt, ap);
    va_end(ap);
    log_to(level, line.text);
}
