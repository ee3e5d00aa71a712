/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_internal.h"
#include "mount-helper/nightly/remote_retry.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OUTPUT_MAX ((size_t)1 << 20)

/* What kind it is shows in how rclone calls it, also if it is the alias of another: "Swift container x",
 * "S3 bucket x". */
static enum remote_kind ask_kind(const char *called)
{
    if (strncmp(called, "Swift ", 6) == 0)
        return REMOTE_SWIFT;
    return strncmp(called, "S3 ", 3) == 0 ? REMOTE_S3 : REMOTE_OTHER;
}

int remote_ask(struct remote *r, struct err *e)
{
    static const char *const words[] = {"backend", "features", NULL};
    cleanup(buffer_free) struct buffer text = {0};
    if (r->asked)
        return 0;
    int code = remote_capture(r, words, "", "cannot be used", OUTPUT_MAX, &text, e);
    if (code < 0)
        return code;
    buffer_add(&text, "", 1);
    struct json_object *o = text.failed ? NULL : json_tokener_parse(text.p), *called = NULL,
                       *features, *slow;
    if (o && json_object_object_get_ex(o, "String", &called) && called &&
        json_object_object_get_ex(o, "Features", &features) &&
        json_object_object_get_ex(features, "SlowHash", &slow)) {
        r->kind = ask_kind(json_object_get_string(called));
        r->reads_to_sum = json_object_get_boolean(slow);
        r->asked = true;
    } else {
        code =
            remote_failed(r, -EBADMSG, "", "cannot be used", "rclone does not say what it is", e);
    }
    json_object_put(o);
    return code;
}

int remote_ask_patiently(struct remote *r, struct err *e)
{
    struct remote_retry again = {.remote = r};
    int code;
    do
        code = remote_ask(r, e);
    while (remote_retry_again(&again, &code, e));
    return code;
}

int remote_compares(struct remote *r, bool *out, struct err *e)
{
    const int code = remote_ask_patiently(r, e);
    *out = code == 0 && r->kind == REMOTE_SWIFT;
    return code;
}

/* How much of a name is before its base: "swift:" of "swift:x", ":s3,endpoint='http://a':" of the like
 * with x. Values of parameters may be quoted. */
static size_t ask_root(const char *name)
{
    char quote = 0;
    for (const char *p = *name == ':' ? name + 1 : name; *p; p++) {
        if (quote ? *p == quote : *p == '"' || *p == '\'')
            quote = quote ? 0 : *p;
        else if (!quote && *p == ':')
            return (size_t)(p + 1 - name);
    }
    return 0;
}

int remote_root_of(const struct remote *r, const char *path, struct remote_root *out, struct err *e)
{
    const size_t n = ask_root(r->name);
    const char *base = r->name + n;
    *out = (struct remote_root){.remote = *r, .name = strndup(r->name, n)};
    while (*base == '/')
        base++;
    out->path = *base ? path_join(base, path) : strdup(path);
    out->remote.name = out->name;
    if (out->name && out->path)
        return 0;
    remote_root_free(out);
    return err_sys(e, -ENOMEM, "%s", r->shown);
}

void remote_root_free(struct remote_root *o)
{
    free(o->name);
    free(o->path);
    *o = (struct remote_root){0};
}

char *remote_segments(const char *path)
{
    char *segments;
    const int n = (int)strcspn(path, "/");
    return asprintf(&segments, "%.*s" REMOTE_SEGMENTS "%s", n, path, path + n) < 0 ? NULL
                                                                                   : segments;
}
