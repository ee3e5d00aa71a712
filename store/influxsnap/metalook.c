/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/metalook.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/names.h"
#include "store/influxsnap/outfile.h"
#include "store/influxsnap/setlook.h"
#include "store/influxsnap/tarlook.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int metalook_read_store(struct snap *s, struct metalook *l, struct err *e)
{
    int r = snap_open(s, SNAP_LOOK, e);
    if (r < 0)
        return r;
    autoclose int meta = open(s->paths.meta, O_PATH | O_DIRECTORY | O_CLOEXEC);
    r = meta < 0 ? -errno : io_read_file(meta, NAME_META_DB, META_DB_MAX, &l->bytes, &l->n);
    l->from = s->paths.meta;
    return r < 0 ? err_sys(e, r, "%s/" NAME_META_DB, s->paths.meta) : 0;
}

static int metalook_read_set(const char *path, struct metalook *l, struct err *e)
{
    struct setlook *set = NULL;
    int r = setlook_open(path, &(struct set_options){0}, &set, e);
    if (r < 0)
        return r;
    const void *bytes = set_meta(setlook_set(set), &l->n);
    l->bytes = malloc(l->n);
    if (l->bytes)
        memcpy(l->bytes, bytes, l->n);
    else
        r = err_sys(e, -ENOMEM, "%s", path);
    setlook_close(set);
    return r;
}

/* A file that is no snapshot may be a meta.db. */
static int metalook_read_path(const char *path, struct metalook *l, struct err *e)
{
    l->from = path;
    if (setlook_is_set(path))
        return metalook_read_set(path, l, e);
    int r = tar_meta(path, &l->bytes, &l->n, e);
    if (r == 0 && !l->bytes)
        return err_set(e, -EINVAL, "%s: holds no " NAME_META_MEMBER "; give a full snapshot", path);
    if (r != -EINVAL || strcmp(path, "-") == 0)
        return r;
    cleanup(meta_freep) struct meta *m = NULL;
    if (io_read_file(AT_FDCWD, path, META_DB_MAX, &l->bytes, &l->n) < 0)
        return r;
    return meta_parse(l->bytes, l->n, &m, NULL) < 0 ? r : 0;
}

int metalook_open(struct snap *s, struct metalook *out)
{
    struct err e = {0};
    *out = (struct metalook){0};
    if (s->o.sql == s->o.json) {
        snap_say("%s: give --sql or --json: both show secrets, so nothing is shown unasked",
                 s->command->name);
        return EXIT_USAGE;
    }
    int r =
        s->o.nargs ? metalook_read_path(s->o.args[0], out, &e) : metalook_read_store(s, out, &e);
    if (r == 0 && metaedit_open(out->bytes, out->n, &out->m, &e) < 0) {
        struct err why = e;
        r = err_set(&e, -EBADMSG, "%s: %s", out->from, why.text);
    }
    if (r == 0)
        return EXIT_DONE;
    metalook_clear(out);
    int code = snap_fail(r, &e);
    return s->o.nargs && (r == -EBADMSG || r == -EINVAL) ? EXIT_CORRUPT : code;
}

void metalook_clear(struct metalook *l)
{
    metaedit_free(l->m);
    free(l->bytes);
    *l = (struct metalook){0};
}

void metalook_comment(struct buffer *out, const char *text)
{
    while (*text) {
        const size_t n = strcspn(text, "\r\n");
        buffer_string(out, "-- ");
        buffer_add(out, text, n);
        buffer_string(out, "\n");
        text += n + (text[n] != 0);
    }
}

void metalook_comment_all(struct buffer *out, struct buffer *text)
{
    buffer_add(text, "", 1);
    if (text->failed)
        out->failed = true;
    else
        metalook_comment(out, text->p);
    buffer_free(text);
}

int metalook_write(const struct snap *s, struct buffer *text)
{
    struct err e = {0};
    int r = 0;
    buffer_add(text, "", 1);
    if (text->failed)
        r = err_sys(&e, -ENOMEM, "%s", s->command->name);
    else if (s->o.output)
        r = outfile_replace(s->o.output, text->p, 0600, &e);
    else
        fputs(text->p, stdout);
    return r < 0 ? snap_fail(r, &e) : EXIT_DONE;
}

int metalook_write_json(const struct snap *s, struct json_object *o)
{
    struct buffer text = {0};
    const char *json =
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    text.failed = !json;
    buffer_string(&text, json ? json : "");
    buffer_string(&text, "\n");
    json_object_put(o);
    int code = metalook_write(s, &text);
    buffer_free(&text);
    return code;
}
