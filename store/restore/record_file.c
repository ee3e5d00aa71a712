/* SPDX-License-Identifier: MIT */
#include "store/restore/record_file.h"

#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/snapshot/manifest_text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)64 << 10)

/* Writing */

struct record_writing {
    int folder; /* the caller's */
    char name[NAME_MAX + 1], tmp[NAME_MAX + 1];
    int fd;
    const struct manifest *m;
    struct buffer text; /* that is not written yet */
    bool any;           /* a file */
    int failed;         /* -errno of the first write that failed */
};

static void writing_flush(struct record_writing *w)
{
    if (w->failed == 0)
        w->failed = w->text.failed ? -ENOMEM : io_write_all(w->fd, w->text.p, w->text.n);
    w->text.n = 0;
}

int record_writing_open(int folder, const char *name, const struct manifest *m,
                        struct record_writing **out)
{
    struct record_writing *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->folder = folder;
    w->m = m;
    snprintf(w->name, sizeof(w->name), "%s", name);
    snprintf(w->tmp, sizeof(w->tmp), "%.200s.tmp", name);
    w->fd = openat(folder, w->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (w->fd < 0) {
        int r = -errno;
        free(w);
        return r;
    }
    manifest_text_head(m, &w->text);
    *out = w;
    return 0;
}

void record_writing_add(struct record_writing *w, const struct manifest_file *f)
{
    manifest_text_file(f, !w->any, &w->text);
    w->any = true;
    if (w->text.n >= PIECE)
        writing_flush(w);
}

static int file_commit(struct record_writing *w)
{
    manifest_text_tail(w->m, &w->text);
    writing_flush(w);
    int r = w->failed;
    if (r == 0 && fsync(w->fd) < 0)
        r = -errno;
    if (r == 0)
        r = io_close(&w->fd);
    if (r == 0 && renameat(w->folder, w->tmp, w->folder, w->name) < 0)
        r = -errno;
    return r < 0 ? r : io_sync_dir(w->folder);
}

int record_writing_end(struct record_writing *w, bool commit)
{
    int r = commit ? file_commit(w) : w->failed;
    if (!commit || r < 0)
        unlinkat(w->folder, w->tmp, 0);
    cleanup_close(&w->fd);
    buffer_free(&w->text);
    free(w);
    return r;
}

/* Reading */

struct record_reading {
    FILE *file;
    char *line; /* the last one, and its room */
    size_t room;
    struct manifest *head;
    char *name; /* of the last file, if it had to be unescaped */
};

void record_reading_close(struct record_reading *r)
{
    if (!r)
        return;
    if (r->file)
        fclose(r->file);
    manifest_free(r->head);
    free(r->line);
    free(r->name);
    free(r);
}

/* The next line, without its newline, of *len bytes: 1; 0: the end of the file. */
static int reading_line(struct record_reading *r, size_t *len)
{
    ssize_t n = getline(&r->line, &r->room, r->file);
    if (n < 0)
        return feof(r->file) ? 0 : ferror(r->file) ? -EIO : -ENOMEM;
    if (r->line[n - 1] != '\n' || strlen(r->line) != (size_t)n)
        return -EBADMSG;
    r->line[n - 1] = 0;
    *len = (size_t)n - 1;
    return 1;
}

static bool is_file(const char *line)
{
    return strncmp(line, "{\"name\":", 8) == 0;
}

/* What stands around the files; they are counted. */
static int file_read_around(struct record_reading *r, struct buffer *text, uint64_t *files)
{
    size_t len = 0;
    int got;
    while ((got = reading_line(r, &len)) == 1) {
        if (is_file(r->line))
            ++*files;
        else
            buffer_add(text, r->line, len);
    }
    buffer_add(text, "", 1);
    return got < 0 ? got : text->failed ? -ENOMEM : 0;
}

/* Reads all of it once, and goes back to the first file. */
static int file_begin(struct record_reading *r)
{
    cleanup(buffer_free) struct buffer text = {0};
    uint64_t files = 0;
    size_t len;
    int got = file_read_around(r, &text, &files);
    if (got == 0)
        got = manifest_parse(text.p, text.n - 1, &r->head, NULL);
    if (got < 0)
        return got == -EINVAL ? -EBADMSG : got;
    r->head->unlisted = files;
    rewind(r->file);
    got = reading_line(r, &len);
    return got == 1 ? 0 : got < 0 ? got : -EBADMSG;
}

int record_reading_open(int folder, const char *name, struct record_reading **out)
{
    cleanup(record_reading_closep) struct record_reading *r = calloc(1, sizeof(*r));
    autoclose int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (!r || fd < 0)
        return r ? -errno : -ENOMEM;
    if (!(r->file = fdopen(fd, "r")))
        return -ENOMEM;
    steal_fd(&fd);
    int got = file_begin(r);
    if (got == 0)
        *out = steal_ptr(&r);
    return got;
}

struct manifest *record_reading_head(const struct record_reading *r)
{
    return r->head;
}

/* The end of the JSON string that begins at p; NULL: there is none. */
static char *string_end(char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && !*++p)
            return NULL;
    return *p ? p : NULL;
}

/* The name as it is, where it stands or in memory of r's. */
static int file_unescape(struct record_reading *r, char *string, char *end, char **out)
{
    *end = 0;
    *out = string + 1;
    if (!strchr(*out, '\\'))
        return 0;
    *end = '"';
    const char after = end[1];
    end[1] = 0;
    struct json_object *o = json_tokener_parse(string);
    end[1] = after;
    free(r->name);
    r->name =
        o && json_object_is_type(o, json_type_string) ? strdup(json_object_get_string(o)) : NULL;
    json_object_put(o);
    *out = r->name;
    return r->name ? 0 : -EBADMSG;
}

int record_reading_next(struct record_reading *r, struct manifest_file *out)
{
    size_t len;
    int end = 0, got = reading_line(r, &len);
    if (got <= 0 || !is_file(r->line))
        return got < 0 ? got : 0;
    char *string = r->line + 8, *stop = *string == '"' ? string_end(string) : NULL;
    if (!stop ||
        sscanf(stop + 1, ",\"size\":%" SCNu64 ",\"index\":%" SCNu64 ",\"mtime_ns\":%" SCNd64 "}%n",
               &out->size, &out->index, &out->mtime_ns, &end) != 3 ||
        end == 0)
        return -EBADMSG;
    got = file_unescape(r, string, stop, &out->name);
    return got < 0 ? got : manifest_name_ok(out->name, false) ? 1 : -EBADMSG;
}
