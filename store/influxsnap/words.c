/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/words.h"

#include <inttypes.h>
#include <stdio.h>

void words_cut(int64_t number, char out[32])
{
    if (number < 0)
        snprintf(out, 32, "base");
    else
        snprintf(out, 32, "%" PRId64, number);
}

void words_json(struct json_object *o)
{
    printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}
