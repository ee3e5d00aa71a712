/* SPDX-License-Identifier: MIT */
#include "store/base/err.h"

#include <stdio.h>
#include <string.h>

void err_format(struct err *e, const char *fmt, va_list ap)
{
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    for (char *p = e->text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        err_format(e, fmt, ap);
        va_end(ap);
    }
    return code;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
    if (e) {
        char words[128];
        va_list ap;
        va_start(ap, fmt);
        err_format(e, fmt, ap);
        va_end(ap);
        size_t n = strlen(e->text);
        snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror_r(-code, words, sizeof(words)));
    }
    return code;
}
