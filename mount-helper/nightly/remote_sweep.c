/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_internal.h"
#include "mount-helper/nightly/remote_retry.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/path.h"

#include <errno.h>
#include <string.h>

#define UPLOADS_MAX ((size_t)64 << 20) /* bytes of a list of uploads */
#define CANNOT_SWEEP "cannot be cleared of what an upload has left"

struct sweep {
    struct remote *remote; /* in it, by its root */
    struct remote_root root;
    struct remote_list there; /* in the folder */
    remote_ours *ours;
    void *ctx;
};

/* Objects that are there use their segments. */
static bool sweep_takes(const struct sweep *s, const char *name)
{
    const struct remote_entry *there = remote_list_find(&s->there, name);
    return (!there || there->folder) && s->ours(s->ctx, name);
}

static int sweep_run(const struct sweep *s, const char *const *words, const char *folder,
                     const char *name, struct err *e)
{
    struct remote *root = &((struct sweep *)s)->root.remote;
    struct remote_retry again = {.remote = root};
    autofree char *path = path_join(folder, name);
    int code = path ? 0 : err_sys(e, -ENOMEM, "%s", name);
    if (code < 0)
        return code;
    do
        code = remote_run(root, words, path, CANNOT_SWEEP, e);
    while (remote_retry_again(&again, &code, e));
    return code == -ENOENT ? 0 : code;
}

/* An object uses its segments, also one that a listing does not show yet: it is asked itself. */
static int sweep_purge(const struct sweep *s, const char *folder, const char *name, struct err *e)
{
    static const char *const words[] = {"purge", NULL};
    struct remote_stat is;
    autofree char *object = path_join(s->root.path, name);
    if (!object)
        return err_sys(e, -ENOMEM, "%s", name);
    const int code = remote_stat(&((struct sweep *)s)->root.remote, object, &is, e);
    return code == -ENOENT ? sweep_run(s, words, folder, name, e) : code;
}

/* Swift: each object with segments is a folder in the container of segments. */
static int sweep_segments(struct sweep *s, struct err *e)
{
    struct remote_list left = {0};
    autofree char *folder = remote_segments(s->root.path);
    if (!folder)
        return err_sys(e, -ENOMEM, "%s", s->root.path);
    int code = remote_list(&s->root.remote, folder, &left, e);
    for (size_t i = 0; code == 0 && i < left.n; i++)
        if (left.at[i].folder && sweep_takes(s, left.at[i].name))
            code = sweep_purge(s, folder, left.at[i].name, e);
    remote_list_clear(&left);
    return code == -ENOENT ? 0 : code;
}

/* S3 */

/* The key of a pending upload, below the folder of that prefix; or NULL. */
static const char *sweep_upload(struct json_object *uploads, size_t i, const char *prefix)
{
    struct json_object *upload = json_object_array_get_idx(uploads, i), *key;
    return json_object_is_type(upload, json_type_object) &&
                   json_get(upload, "Key", json_type_string, &key)
               ? path_below(json_object_get_string(key), prefix)
               : NULL;
}

/* rclone ends all uploads whose keys begin with what it is given: so no other's may. */
static bool sweep_is_alone(const struct sweep *s, struct json_object *uploads, const char *prefix,
                           const char *name)
{
    for (size_t i = 0; i < json_object_array_length(uploads); i++) {
        const char *other = sweep_upload(uploads, i, prefix);
        if (other && strncmp(other, name, strlen(name)) == 0 && !sweep_takes(s, other))
            return false;
    }
    return true;
}

static int sweep_uploads_of(const struct sweep *s, struct json_object *uploads, const char *prefix,
                            struct err *e)
{
    static const char *const words[] = {"backend", "cleanup", "-o", "max-age=0s", NULL};
    int code = 0;
    for (size_t i = 0; code == 0 && i < json_object_array_length(uploads); i++) {
        const char *name = sweep_upload(uploads, i, prefix);
        if (name && *name && !strchr(name, '/') && sweep_takes(s, name) &&
            sweep_is_alone(s, uploads, prefix, name))
            code = sweep_run(s, words, s->root.path, name, e);
    }
    return code;
}

static int sweep_uploads(struct sweep *s, struct err *e)
{
    static const char *const words[] = {"backend", "list-multipart-uploads", NULL};
    cleanup(buffer_free) struct buffer text = {0};
    struct remote_retry again = {.remote = s->remote};
    struct err why = {0};
    const char *prefix = s->root.path + strcspn(s->root.path, "/");
    int code;
    do {
        text.n = 0;
        code = remote_capture(&s->root.remote, words, s->root.path, CANNOT_SWEEP, UPLOADS_MAX,
                              &text, &why);
    } while (remote_retry_again(&again, &code, &why));
    if (code == -ENOENT || (code == -EIO && strstr(why.text, "NotImplemented")))
        return 0;
    if (code < 0)
        return err_set(e, code, "%s", why.text);
    buffer_add(&text, "", 1);
    struct json_object *o = text.failed ? NULL : json_tokener_parse(text.p);
    if (!json_object_is_type(o, json_type_object)) {
        json_object_put(o);
        return remote_failed(s->remote, -EBADMSG, s->root.path, CANNOT_SWEEP,
                             "rclone has printed no list of uploads", e);
    }
    json_object_object_foreach(o, bucket, uploads)
    {
        (void)bucket;
        if (code == 0 && json_object_is_type(uploads, json_type_array))
            code = sweep_uploads_of(s, uploads, *prefix ? prefix + 1 : prefix, e);
    }
    json_object_put(o);
    return code;
}

int remote_sweep(struct remote *r, const char *folder, remote_ours *ours, void *ctx, struct err *e)
{
    struct sweep s = {.remote = r, .ours = ours, .ctx = ctx};
    int code = remote_ask_patiently(r, e);
    if (code < 0 || r->kind == REMOTE_OTHER)
        return code;
    code = remote_root_of(r, folder, &s.root, e);
    if (code < 0)
        return code;
    code = remote_list(r, folder, &s.there, e);
    if (code == -ENOENT)
        code = 0; /* segments may have come before their container */
    if (code == 0)
        code = r->kind == REMOTE_SWIFT ? sweep_segments(&s, e) : sweep_uploads(&s, e);
    remote_list_clear(&s.there);
    remote_root_free(&s.root);
    return code;
}
