/* SPDX-License-Identifier: MIT */
#include "fs/log.h"

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

static bool to_syslog;
static char fuse_words[256];

static void vlog(const char *fmt, va_list ap)
{
    if (to_syslog) {
        vsyslog(LOG_NOTICE, fmt, ap);
        return;
    }
    char line[1024];
    vsnprintf(line, sizeof(line), fmt, ap);
    fprintf(stderr, "influxfs: %s\n", line);
}

void log_line(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vlog(fmt, ap);
    va_end(ap);
}

void log_to_syslog(void)
{
    openlog("influxfs", LOG_PID, LOG_DAEMON);
    to_syslog = true;
}

/* libfuse says one line in several calls. */
static void catch_words(enum fuse_log_level level, const char *fmt, va_list ap)
{
    static bool begun;
    char piece[sizeof(fuse_words)];
    (void)level;
    vsnprintf(piece, sizeof(piece), fmt, ap);
    size_t used = begun ? strlen(fuse_words) : 0;
    const char *text = used == 0 && strncmp(piece, "fuse: ", 6) == 0 ? piece + 6 : piece;
    size_t n = strcspn(text, "\n");
    begun = text[n] != '\n';
    if (n > sizeof(fuse_words) - 1 - used)
        n = sizeof(fuse_words) - 1 - used;
    memcpy(fuse_words + used, text, n);
    fuse_words[used + n] = 0;
}

static void pass_words(enum fuse_log_level level, const char *fmt, va_list ap)
{
    if (level <= FUSE_LOG_WARNING || !to_syslog)
        vlog(fmt, ap);
}

void log_catch_fuse(void)
{
    fuse_set_log_func(catch_words);
}

const char *log_fuse_words(void)
{
    return fuse_words;
}

void log_pass_fuse(void)
{
    fuse_set_log_func(pass_words);
}
