/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

void words_cut(int64_t number, char out[32])
{
    if (number < 0)
        snprintf(out, 32, "base");
    else
        snprintf(out, 32, "%" PRId64, number);
}

void words_time(int64_t ns, char out[40])
{
    time_t s = (time_t)(ns / 1000000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, 40 - n, ".%09dZ", (int)(ns % 1000000000));
}

struct json_object *words_cut_json(const struct cut_info *c)
{
    struct json_object *o = json_object_new_object();
    const struct cut_head *h = &c->head;
    char time[40];
    words_time(h->created_ns, time);
    json_object_object_add(o, "base", json_object_new_boolean(c->base));
    json_object_object_add(o, "number", h->number < 0 ? NULL : json_object_new_int64(h->number));
    json_object_object_add(o, "time", json_object_new_string(time));
    json_object_object_add(o, "files", json_object_new_uint64(c->files));
    json_object_object_add(o, "bytes", json_object_new_uint64(c->bytes));
    json_object_object_add(o, "id", json_object_new_string(h->id));
    json_object_object_add(o, "parent", *h->parent ? json_object_new_string(h->parent) : NULL);
    return o;
}

void words_json(struct json_object *o)
{
    printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}
