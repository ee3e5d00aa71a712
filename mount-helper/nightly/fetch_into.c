/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_into.h"

#include "mount-helper/nightly/fetch_writer.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/mounts.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influx/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MOUNT "fuse.influxfs"
#define RESTORE "restore"
#define REFUSED "refused "
#define LOG_END (64u << 10) /* in which a reason is looked for */

struct fetch_into {
    char *folder, *root;           /* where the file system is mounted */
    struct restore_request *asked; /* by the folder; NULL: nothing */
    char *log;                     /* its path: nothing of the mount stays open (fetch_writer.h) */
};

/* The mount that a folder lies in: cuts the path down to it. */
static bool into_find_root(char *path)
{
    char type[MOUNT_TYPE];
    do {
        autofree char *mark = path_join(path, ".influxfs");
        if (mark && access(mark, F_OK) == 0)
            return mount_type_at(path, type) && strcmp(type, MOUNT) == 0;
    } while (path_up(path));
    return false;
}

static int into_find(struct fetch_into *f, const char *folder, struct err *e)
{
    f->folder = realpath(folder, NULL);
    if (!f->folder)
        return err_sys(e, -errno, "%s", folder);
    f->root = strdup(f->folder);
    if (!f->root)
        return err_sys(e, -ENOMEM, "%s", folder);
    const bool found = into_find_root(f->root);
    const char *below = found ? path_below(f->folder, f->root) : NULL;
    const char *rest = below ? path_below(below, RESTORE) : NULL;
    if (!rest)
        return err_set(e, -EINVAL, "%s is not restore/ of a mount of influxfs", folder);
    autofree char *file = path_join(rest, "x.tar");
    f->log = path_join(f->root, RESTORE "/log");
    if (!file || !f->log)
        return err_sys(e, -ENOMEM, "%s", folder);
    return restore_request_of_path(file, &f->asked, e);
}

int fetch_into_open(const char *folder, struct fetch_into **out, struct err *e)
{
    struct fetch_into *f = calloc(1, sizeof(*f));
    if (!f)
        return err_sys(e, -ENOMEM, "%s", folder);
    int r = into_find(f, folder, e);
    if (r < 0)
        fetch_into_close(f);
    else
        *out = f;
    return r;
}

void fetch_into_close(struct fetch_into *f)
{
    if (!f)
        return;
    free(f->log);
    restore_request_free(f->asked);
    free(f->folder);
    free(f->root);
    free(f);
}

const struct restore_request *fetch_into_request(const struct fetch_into *f)
{
    return f->asked;
}

int fetch_into_meta(const struct fetch_into *f, char **buf, size_t *n, struct err *e)
{
    autofree char *path = path_join(f->root, "live/meta/meta.db");
    int r = path ? io_read_file(AT_FDCWD, path, META_DB_MAX, buf, n) : -ENOMEM;
    return r < 0 ? err_sys(e, r, "%s", path ? path : f->root) : 0;
}

/* "TIME TEXT" */
static const char *text_of(const char *line)
{
    const char *space = strchr(line, ' ');
    return space ? space + 1 : line;
}

/* Why it was refused, by what the log has had to say since the byte `from`: the last "TIME refused NAME:
 * WHY"; of what could not even be opened, the last line. */
static int into_blame(const struct fetch_into *f, const char *name, off_t from, int code,
                      struct err *e)
{
    autofree char *text = malloc(LOG_END + 1);
    autofree char *path = path_join(f->folder, name);
    const char *why = NULL, *last = NULL;
    autoclose int log = open(f->log, O_RDONLY | O_CLOEXEC);
    struct stat st;
    ssize_t n = 0;
    if (text && log >= 0 && fstat(log, &st) == 0)
        n = pread(log, text, LOG_END, time_later(from, st.st_size - LOG_END));
    if (n > 0)
        text[n] = 0;
    for (char *line = n > 0 ? strtok(text, "\n") : NULL; line; line = strtok(NULL, "\n")) {
        last = text_of(line);
        const char *word =
            strncmp(last, REFUSED, strlen(REFUSED)) == 0 ? last + strlen(REFUSED) : "";
        if (strncmp(word, name, strlen(name)) == 0 && word[strlen(name)] == ':')
            why = word + strlen(name) + 2;
    }
    why = why ? why : last;
    return why ? err_set(e, code, "%s: %s", path ? path : name, why)
               : err_sys(e, code, "%s", path ? path : name);
}

/* *ours: it is not the mount that has refused it, and e is set. */
static int into_copy(struct fetch_writer *w, const struct tar_stream *in, struct meter *meter,
                     bool *ours, struct err *e)
{
    const void *block;
    ssize_t n;
    *ours = false;
    while ((n = in->pull(in->arg, &block, e)) > 0) {
        int r = fetch_writer_put(w, block, (size_t)n);
        if (r < 0)
            return r;
        meter_add(meter, (uint64_t)n);
    }
    *ours = n < 0;
    return (int)n;
}

/* The last close is the verdict. What is not whole is unlinked before that, so that nothing waits for
 * the rest of it. */
int fetch_into_write(struct fetch_into *f, const char *name, const struct tar_stream *in,
                     struct meter *meter, struct err *e)
{
    struct stat log;
    struct fetch_writer *w = NULL;
    bool ours = false;
    autofree char *path = path_join(f->folder, name);
    const off_t from = stat(f->log, &log) == 0 ? log.st_size : 0;
    int r = path ? fetch_writer_start(path, &w) : -ENOMEM;
    if (r < 0)
        return err_sys(e, r, "%s", name);
    r = into_copy(w, in, meter, &ours, e);
    const int verdict = fetch_writer_end(w, r == 0);
    if (r == -EINTR || (r == 0 && verdict == -EINTR))
        return err_set(e, r, "interrupted; nothing of %s was restored", name);
    if (ours)
        return r;
    return verdict < 0 ? into_blame(f, name, from, verdict, e) : r;
}
