/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/say.h"

#include "store/base/json.h"
#include "store/base/lock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool quiet;
static const char *program = "influxsnap";
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct json_object *texts;                        /* of the warnings; NULL: none yet */
static struct err last[2];                               /* the last SNAP_SAY, the last SNAP_WARN */

/* err_set replaces bytes that would upset a terminal or a log. */
void snap_line(enum snap_line how, const char *fmt, ...)
{
    char text[2048];
    struct err line;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(&line, 0, "%s", text);
    if (how != SNAP_NOTE || !quiet)
        fprintf(stderr, "%s: %s%s\n", program, how == SNAP_WARN ? "warning: " : "", line.text);
    if (how == SNAP_NOTE)
        return;
    lock_scope(&lock);
    last[how] = line;
    if (how != SNAP_WARN)
        return;
    if (!texts)
        texts = json_object_new_array();
    json_object_array_add(texts, json_text(line.text));
}

int snap_fail(int code, const struct err *e)
{
    snap_say("%s", e->text[0] ? e->text : strerror(-code));
    return EXIT_FAILED;
}

static void say_logged(enum log_level level, const char *line)
{
    static const enum snap_line hows[] = {SNAP_SAY, SNAP_WARN, SNAP_NOTE, SNAP_NOTE};
    snap_line(hows[level], "%s", line);
}

void snap_say_begin(bool be_quiet, enum log_level most)
{
    quiet = be_quiet;
    log_set(say_logged, most);
}

void snap_say_as(const char *name)
{
    program = name;
}

void snap_said(enum snap_line how, struct err *out)
{
    lock_scope(&lock);
    *out = last[how];
}

size_t snap_warnings(void)
{
    return texts ? json_object_array_length(texts) : 0;
}

struct json_object *snap_warnings_json(void)
{
    struct json_object *copy = json_object_new_array();
    for (size_t i = 0; texts && i < json_object_array_length(texts); i++)
        json_object_array_add(copy, json_object_get(json_object_array_get_idx(texts, i)));
    return copy;
}

bool snap_is_quiet(void)
{
    return quiet;
}

void snap_say_end(void)
{
    json_object_put(texts);
    texts = NULL;
    memset(last, 0, sizeof(last));
}

void snap_cut_name(int64_t number, char out[32])
{
    if (number < 0)
        snprintf(out, 32, "base");
    else
        snprintf(out, 32, "%" PRId64, number);
}

void snap_print_json(struct json_object *o)
{
    printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}
