/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/say.h"

#include "store/base/err.h"
#include "store/base/json.h"

#include <stdarg.h>
#include <stdio.h>

static bool quiet;
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
    warnings++;
    if (!texts)
        texts = json_object_new_array();
    json_object_array_add(texts, json_text(line.text));
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
