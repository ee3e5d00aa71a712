/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_internal.h"
#include "mount-helper/nightly/remote_retry.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)1 << 16)
#define ENTRIES_MAX 1000000
#define CANNOT_LIST "cannot be listed"
#define CANNOT_LOOK "cannot be looked at"

/* Entries of rclone lsjson */

static bool is_part(const char *name)
{
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == 0x7f || *name == '/')
            return false;
    return true;
}

struct entry {
    const char *name; /* the object's */
    struct remote_stat is;
    bool folder;
};

/* Of one object of JSON. false: it is not such a one. */
static bool list_read_entry(struct json_object *o, struct entry *out)
{
    struct json_object *name, *size, *folder, *hashes, *md5;
    if (!json_object_is_type(o, json_type_object) ||
        !json_get(o, "Name", json_type_string, &name) ||
        !json_get(o, "Size", json_type_int, &size) ||
        !json_get(o, "IsDir", json_type_boolean, &folder))
        return false;
    *out = (struct entry){.name = json_object_get_string(name),
                          .folder = json_object_get_boolean(folder)};
    const int64_t bytes = json_object_get_int64(size);
    out->is.size = bytes > 0 && !out->folder ? (uint64_t)bytes : 0;
    if (json_get(o, "Hashes", json_type_object, &hashes) &&
        json_get(hashes, "md5", json_type_string, &md5) && json_object_get_string_len(md5) == 32)
        snprintf(out->is.md5, sizeof(out->is.md5), "%s", json_object_get_string(md5));
    /* A name with a NUL is another one. */
    return strlen(out->name) == (size_t)json_object_get_string_len(name);
}

/* A list, one entry on a line ("can be processed line by line", as its manual says). */

typedef int list_entry_fn(void *ctx, const struct entry *entry, struct err *e);

struct lines {
    const struct remote *remote;
    const char *path;
    list_entry_fn *entry;
    void *ctx;
    bool closed; /* its last bracket has come */
};

static int unreadable(const struct lines *l, struct err *e)
{
    return remote_failed(l->remote, -EBADMSG, l->path, CANNOT_LIST,
                         "rclone has printed what is no entry of a list", e);
}

static int list_line(struct lines *l, const char *p, size_t n, struct err *e)
{
    struct entry entry;
    if (n && p[n - 1] == ',')
        n--;
    if (n == 1 && *p == ']')
        l->closed = true;
    if (n == 0 || (n == 1 && (*p == '[' || *p == ']')))
        return 0;
    if (l->closed)
        return unreadable(l, e);
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *o = tokener ? json_tokener_parse_ex(tokener, p, (int)n) : NULL;
    int r = o && list_read_entry(o, &entry) ? l->entry(l->ctx, &entry, e) : unreadable(l, e);
    json_object_put(o);
    json_tokener_free(tokener);
    return r;
}

/* Uses the whole lines in text; what is left of it begins a line. */
static int list_lines(struct lines *l, struct buffer *text, struct err *e)
{
    char *p = text->p, *end = p + text->n, *stop;
    int r = 0;
    while (r == 0 && (stop = memchr(p, '\n', (size_t)(end - p)))) {
        r = list_line(l, p, (size_t)(stop - p), e);
        p = stop + 1;
    }
    text->n = (size_t)(end - p);
    memmove(text->p, p, text->n);
    if (r == 0 && text->n > LINE_MAX_BYTES)
        r = unreadable(l, e);
    return r;
}

static int list_run(struct remote *r, const char *const *words, struct lines *l, struct err *e)
{
    cleanup(remote_child_closep) struct remote_child *c = NULL;
    cleanup(buffer_free) struct buffer text = {0};
    ssize_t n = remote_start(r, words, l->path, REMOTE_CHILD_READ, &c, e);
    if (n < 0)
        return (int)n;
    l->closed = false;
    for (;;) {
        char *to = buffer_reserve(&text, LINE_MAX_BYTES);
        if (!to)
            return remote_failed(r, -ENOMEM, l->path, CANNOT_LIST, "out of memory", e);
        if ((n = remote_child_read(c, to, LINE_MAX_BYTES)) <= 0)
            break;
        text.n += (size_t)n;
        int code = list_lines(l, &text, e);
        if (code < 0)
            return code;
    }
    if (n < 0)
        return remote_cut_short(r, n, l->path, CANNOT_LIST, e);
    int code = remote_finish(r, c, l->path, CANNOT_LIST, e);
    return code == 0 && (text.n || !l->closed) ? unreadable(l, e) : code;
}

/* What lies in a folder */

static int list_add(void *ctx, const struct entry *entry, struct err *e)
{
    struct remote_list *l = ctx;
    if (!is_part(entry->name))
        return 0;
    if (l->n == ENTRIES_MAX)
        return err_set(e, -EFBIG, "the listing has more than %d entries", ENTRIES_MAX);
    char *name = strdup(entry->name);
    if (!name || !array_grow(&l->at, l->n)) {
        free(name);
        return err_sys(e, -ENOMEM, "listing");
    }
    l->at[l->n++] = (struct remote_entry){name, entry->is.size, entry->folder};
    return 0;
}

/* Object stores may have an object and a folder of one name: the object comes first. */
static int list_compare(const void *a, const void *b)
{
    const struct remote_entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->folder - y->folder;
}

int remote_list(struct remote *r, const char *path, struct remote_list *out, struct err *e)
{
    static const char *const words[] = {"lsjson", "--no-modtime", "--no-mimetype", NULL};
    struct remote_retry again = {.remote = r};
    struct remote_list l = {0};
    struct lines lines = {.remote = r, .path = path, .entry = list_add, .ctx = &l};
    int code;
    do {
        remote_list_clear(&l);
        code = list_run(r, words, &lines, e);
    } while (remote_retry_again(&again, &code, e));
    if (code < 0) {
        remote_list_clear(&l);
        return code;
    }
    if (l.n)
        qsort(l.at, l.n, sizeof(*l.at), list_compare);
    *out = l;
    return 0;
}

void remote_list_clear(struct remote_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i].name);
    free(l->at);
    *l = (struct remote_list){0};
}

static bool is_before(const void *item, const void *name)
{
    return strcmp(((const struct remote_entry *)item)->name, name) < 0;
}

const struct remote_entry *remote_list_find(const struct remote_list *l, const char *name)
{
    const size_t i = array_bisect(l->at, l->n, sizeof(*l->at), name, is_before);
    return i < l->n && strcmp(l->at[i].name, name) == 0 ? &l->at[i] : NULL;
}

/* One object */

char *remote_pattern(const char *name)
{
    char *pattern = malloc(2 * strlen(name) + 2), *p = pattern;
    if (!p)
        return NULL;
    *p++ = '/';
    for (; *name; name++) {
        if (strchr("*?[]{}\\,", *name))
            *p++ = '\\';
        *p++ = *name;
    }
    *p = '\0';
    return pattern;
}

struct sought {
    const char *name;
    bool found;
};

static int list_seek(void *ctx, const struct entry *entry, struct err *e)
{
    struct sought *s = ctx;
    (void)e;
    s->found |= !entry->folder && strcmp(entry->name, s->name) == 0;
    return 0;
}

int remote_listed(struct remote *r, const char *path, struct err *e)
{
    autofree char *folder = strdup(path), *pattern = remote_pattern(path_last(path));
    if (!folder || !pattern)
        return err_sys(e, -ENOMEM, "%s", path);
    path_up(folder);
    struct sought s = {.name = path_last(path)};
    struct lines lines = {.remote = r, .path = folder, .entry = list_seek, .ctx = &s};
    const char *words[] = {
        "lsjson", "--no-modtime", "--no-mimetype", "--include", pattern, NULL, NULL, NULL, NULL};
    if (!r->reads_to_sum && r->asked) {
        words[5] = "--hash";
        words[6] = "--hash-type";
        words[7] = "MD5";
    }
    int code = list_run(r, words, &lines, e);
    if (code == 0 && !s.found)
        code = remote_failed(r, -ENOENT, path, CANNOT_LOOK, "it is not there", e);
    return code;
}

static const char *const with_md5[] = {"--hash", "--hash-type", "MD5"};

/* rclone says of all that does not answer as an object, for any reason, that it is a folder: 0, or
 * -EISDIR then. */
static int list_ask(struct remote *r, const char *path, struct remote_stat *out, struct err *e)
{
    const char *words[] = {"lsjson", "--stat", "--no-modtime", "--no-mimetype",
                           NULL,     NULL,     NULL,           NULL};
    cleanup(buffer_free) struct buffer text = {0};
    struct entry entry;
    if (!r->reads_to_sum)
        memcpy(words + 4, with_md5, sizeof(with_md5));
    int code = remote_capture(r, words, path, CANNOT_LOOK, LINE_MAX_BYTES, &text, e);
    if (code < 0)
        return code;
    buffer_add(&text, "", 1);
    struct json_object *o = text.failed ? NULL : json_tokener_parse(text.p);
    if (!o || !list_read_entry(o, &entry))
        code = remote_failed(r, -EBADMSG, path, CANNOT_LOOK, "rclone has printed no entry", e);
    else if (entry.folder)
        code = -EISDIR;
    else
        *out = entry.is;
    json_object_put(o);
    return code;
}

/* What does not answer is missing if it is not listed; or if the store, which has answered with a listing,
 * still has no answer for it: an object that Swift found damaged stays in listings. */
static int list_look(struct remote *r, const char *path, struct remote_stat *out, struct err *e)
{
    int code = remote_ask(r, e);
    if (code == 0)
        code = list_ask(r, path, out, e);
    if (code != -EISDIR)
        return code;
    code = remote_listed(r, path, e);
    if (code == 0)
        code = list_ask(r, path, out, e);
    if (code == -EISDIR)
        code = remote_failed(r, -ENOENT, path, CANNOT_LOOK,
                             "it is listed, but the store does not have it", e);
    return code;
}

int remote_stat(struct remote *r, const char *path, struct remote_stat *out, struct err *e)
{
    struct remote_retry again = {.remote = r};
    int code;
    do
        code = list_look(r, path, out, e);
    while (remote_retry_again(&again, &code, e));
    return code;
}
