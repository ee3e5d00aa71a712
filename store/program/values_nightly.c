/* SPDX-License-Identifier: MIT */
/* The values that only the nightly jobs take. */
#include "store/base/time.h"
#include "store/influx/store_id.h"
#include "store/program/values.h"

#include <errno.h>
#include <string.h>

int value_day(const char *text, void *out, struct err *e)
{
    int32_t day = 0;
    if (strcmp(text, "today") == 0)
        day = time_today();
    else if (strcmp(text, "yesterday") == 0)
        day = time_today() - 1;
    else if (!time_read_day(text, &day) || day < 0)
        return err_set(
            e, -EINVAL,
            "not a day from 1970-01-01 on; it is a date such as 2016-06-11, or today, or "
            "yesterday");
    *(int32_t *)out = day;
    return 0;
}

/* rclone takes "NAME,key=value:" and ":swift,key=value:" too, but what is on a command line is for all
 * to see, and the name of a remote is remembered and shown. */
int value_remote(const char *text, void *out, struct err *e)
{
    const char *name = text + (*text == ':'), *colon = strchr(name, ':');
    if (*text == '/')
        return value_text(text, out, e);
    if (!colon || colon == name || *text == '-')
        return err_set(
            e, -EINVAL,
            "not a remote of rclone, such as swift: or s3:bucket (the colon belongs to it), "
            "nor the whole path of a folder");
    if (memchr(name, '=', (size_t)(colon - name)))
        return err_set(
            e, -EINVAL,
            "it has parameters, which everybody could read here; they belong in rclone's "
            "configuration, or in variables of its environment");
    return value_text(text, out, e);
}

int value_store_id(const char *text, void *out, struct err *e)
{
    size_t n = strspn(text, "0123456789abcdef");
    if (text[n] || n < 8 || n > STORE_ID)
        return err_set(e, -EINVAL,
                       "not the id of a store, nor its first 8 digits or more; influxsnap status "
                       "shows that of a store");
    return value_text(text, out, e);
}
