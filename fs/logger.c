/* SPDX-License-Identifier: MIT */
#include "fs/daemon.h"

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

static bool to_syslog;
static char fuse_words[256];

static void write_line(int priority, const char *line)
{
    if (to_syslog)
        syslog(priority, "%s", line);
    else
        fprintf(stderr, "influxfs: %s\n", line);
}

static void logger_hook(enum log_level level, const char *line)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    write_line(priorities[level], line);
}

void logger_start(enum log_level most)
{
    log_set(logger_hook, most);
}

void logger_to_syslog(void)
{
    openlog("influxfs", LOG_PID, LOG_DAEMON);
    to_syslog = true;
}

/* libfuse prints one line in several calls. */
static void logger_keep(enum fuse_log_level level, const char *fmt, va_list ap)
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

static void logger_pass(enum fuse_log_level level, const char *fmt, va_list ap)
{
    char line[1024];
    vsnprintf(line, sizeof(line), fmt, ap);
    if (level <= FUSE_LOG_WARNING || !to_syslog)
        write_line((int)level, line); /* its levels are those of syslog */
}

void logger_take_fuse(bool keep)
{
    fuse_set_log_func(keep ? logger_keep : logger_pass);
}

const char *logger_fuse_words(void)
{
    return fuse_words;
}
