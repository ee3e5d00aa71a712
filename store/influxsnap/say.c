/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/say.h"

#include "store/base/json.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool quiet;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the warnings */
static size_t warnings;
static struct json_object *texts; /* of the warnings; NULL: none yet */

/* What a name holds that a terminal or a log would stumble over is made harmless by err_set. */
static void format(struct err *line, const char *fmt, va_list ap)
{
    char text[2048];
    vsnprintf(text, sizeof(text), fmt, ap);
    err_set(line, 0, "%s", text);
}

void snap_say(const char *fmt, ...)
{
    struct err line;
    va_list ap;
    va_start(ap, fmt);
    format(&line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "influxsnap: %s\n", line.text);
}

void snap_note(const char *fmt, ...)
{
    struct err line;
    va_list ap;
    va_start(ap, fmt);
    format(&line, fmt, ap);
    va_end(ap);
    if (!quiet)
        fprintf(stderr, "influxsnap: %s\n", line.text);
}

void snap_warn(const char *fmt, ...)
{
    struct err line;
    va_list ap;
    va_start(ap, fmt);
    format(&line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "influxsnap: warning: %s\n", line.text);
    pthread_mutex_lock(&lock);
    warnings++;
    if (!texts)
        texts = json_object_new_array();
    json_object_array_add(texts, json_text(line.text));
    pthread_mutex_unlock(&lock);
}

int snap_fail(int code, const struct err *e)
{
    snap_say("%s", e->text[0] ? e->text : strerror(-code));
    return EXIT_FAILED;
}

static void say_logged(enum log_level level, const char *line)
{
    if (level == LOG_LEVEL_ERROR)
        snap_say("%s", line);
    else if (level == LOG_LEVEL_WARNING)
        snap_warn("%s", line);
    else
        snap_note("%s", line);
}

void snap_say_log(enum log_level most)
{
    log_set(say_logged, most);
}

size_t snap_warnings(void)
{
    return warnings;
}

struct json_object *snap_warnings_json(void)
{
    struct json_object *copy = json_object_new_array();
    for (size_t i = 0; texts && i < json_object_array_length(texts); i++)
        json_object_array_add(copy, json_object_get(json_object_array_get_idx(texts, i)));
    return copy;
}

void snap_set_quiet(bool yes)
{
    quiet = yes;
}

bool snap_is_quiet(void)
{
    return quiet;
}

void snap_say_end(void)
{
    json_object_put(texts);
    texts = NULL;
    warnings = 0;
}
