/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/words.h"

#include "store/base/json.h"
#include "store/base/time.h"
#include "store/chain/cut_loss.h"

#include <inttypes.h>
#include <stdio.h>

void words_cut(int64_t number, char out[32])
{
    if (number < 0)
        snprintf(out, 32, "base");
    else
        snprintf(out, 32, "%" PRId64, number);
}

void words_time(int64_t ns, char out[40])
{
    time_exact_text(ns, out);
}

bool words_clock_set(const struct cut_info *c, const struct cut_info *before)
{
    return before && c->head.wall_ns < before->head.wall_ns;
}

struct json_object *words_cut_json(const struct cut_info *c, const struct cut_info *before)
{
    struct json_object *o = json_object_new_object();
    const struct cut_head *h = &c->head;
    char time[40];
    words_time(h->wall_ns, time);
    json_object_object_add(o, "base", json_object_new_boolean(c->base));
    json_object_object_add(o, "number", h->number < 0 ? NULL : json_object_new_int64(h->number));
    json_object_object_add(o, "time", json_text(time));
    json_object_object_add(o, "clock_set", json_object_new_boolean(words_clock_set(c, before)));
    json_object_object_add(o, "files", json_object_new_uint64(c->files));
    json_object_object_add(o, "bytes", json_object_new_uint64(c->bytes));
    json_object_object_add(o, "id", json_text(h->id));
    json_object_object_add(o, "parent", json_text_or_null(h->parent));
    json_object_object_add(o, "lost", loss_json(h));
    return o;
}

void words_json(struct json_object *o)
{
    printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}
