/* SPDX-License-Identifier: MIT */
#include "store/base/log.h"

#include "store/base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

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
    char text[sizeof(struct err)];
    struct err line;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(&line, 0, "%s", text);
    log_to(level, line.text);
}
