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

static void catch_words(enum fuse_log_level level, const char *fmt, va_list ap)
{
    (void)level;
    char line[sizeof(fuse_words)];
    vsnprintf(line, sizeof(line), fmt, ap);
    line[strcspn(line, "\n")] = 0;
    const char *text = strncmp(line, "fuse: ", 6) == 0 ? line + 6 : line;
    memmove(fuse_words, text, strlen(text) + 1);
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
