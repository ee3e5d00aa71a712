/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/backup_path.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/influxsnap/say.h"
#include "store/influxsnap/tarend.h"
#include "store/influxsnap/tarlook.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads folders from the tar's headers where manifests lack them: now.tar was copied there. */
static int learn_folders(struct tarset_file *f, struct err *e)
{
    if (f->superseded || f->m->lists_folders)
        return 0;
    int r = tar_folders(f->path, &f->m->folders, &f->m->nfolders, e);
    f->m->lists_folders = r == 0;
    return r;
}

/* Reads the chain, which may be empty. */
static int read_chain(struct backup_path *p, struct err *e)
{
    struct stat st;
    char *const one[] = {(char *)p->path};
    if (lstat(p->path, &st) < 0)
        return errno == ENOENT ? tarset_numbers(p->path, &p->set, e)
                               : err_sys(e, -errno, "%s", p->path);
    if (stat(p->path, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(e, -EISDIR, "%s: is a folder; give the name of a file in it", p->path);
    return tarset_gather(one, 1, true, &p->set, e);
}

/* What can follow the chain builds on all of it. */
static int backup_path_check(struct backup_path *p, struct err *e)
{
    int r = tarset_one_chain(&p->set, e);
    for (size_t i = 0; r == 0 && i < p->set.n; i++)
        if (!p->set.at[i].superseded)
            r = tarend_check(p->set.at[i].path, p->set.at[i].m, e);
    return r;
}

int backup_path_open(const char *path, struct backup_path *out, struct err *e)
{
    struct err why = {0};
    *out = (struct backup_path){.path = path};
    if (strcmp(path, "-") == 0)
        return 0;
    int r = outfile_open(path, &out->file, e);
    if (r == 0)
        r = read_chain(out, e);
    if (r < 0 || out->set.n == 0)
        return r;
    if ((r = backup_path_check(out, &why)) < 0)
        return err_set(e, r,
                       "%s; nothing was written: put right what lies there, or give another name",
                       why.text);
    for (size_t i = 0; r == 0 && i < out->set.n; i++)
        r = learn_folders(&out->set.at[i], e);
    return r;
}

int backup_path_fd(const struct backup_path *p)
{
    return p->file ? outfile_fd(p->file) : STDOUT_FILENO;
}

const char *backup_path_name(const struct backup_path *p)
{
    return p->file ? p->path : "standard output";
}

#define SUFFIX 32

static const char *suffix(int64_t number, char out[SUFFIX])
{
    *out = 0;
    if (number >= 0)
        snprintf(out, SUFFIX, ".%" PRId64, number);
    return out;
}

int backup_path_commit(struct backup_path *p, int64_t number, struct err *e)
{
    char end[SUFFIX];
    return p->file ? outfile_commit(p->file, suffix(number, end), e) : 0;
}

void backup_path_close(struct backup_path *p)
{
    tarset_clear(&p->set);
    outfile_close(p->file);
}

static const struct tarset_file *last(const struct backup_path *p)
{
    return &p->set.at[p->set.n - 1];
}

void backup_path_guard(const struct backup_path *p, const struct cut_rules *rules,
                       const struct cut_lost *lost)
{
    char words[LOSS_WORDS];
    if (!rules->guard || !loss_exceeds(lost, rules->guard_part))
        return;
    snap_warn("since %s %s; the snapshots that lie there have them; another store needs another "
              "name",
              last(p)->path, loss_words(lost, words));
}

void backup_path_compare_hosts(const struct backup_path *p, const char *host)
{
    if (p->set.n && strcmp(host, last(p)->m->host) != 0)
        snap_warn("%s: written on host %s, what lies there before it on host %s: another store "
                  "needs another name",
                  p->path, host, last(p)->m->host);
}

static void backup_path_print_json(const struct backup_path *p, const struct backup_done *done,
                                   struct json_object *more)
{
    struct json_object *o = json_object_new_object();
    char path[PATH_MAX], end[SUFFIX];
    const struct manifest *m = done ? NULL : last(p)->m;
    snprintf(path, sizeof(path), "%s%s", done ? p->path : last(p)->path,
             suffix(done ? done->number : -1, end));
    json_add_bool(o, "written", done);
    json_add_text(o, "path", path);
    json_add_text(o, "kind", manifest_kind_name(m ? m->kind : done->kind));
    json_add_number(o, "number", done ? done->number : m->number);
    json_add_text(o, "id", done ? done->id : m->id);
    json_add_count(o, "files", done ? done->files : 0);
    json_add_count(o, "bytes", done ? done->bytes : 0);
    json_add_count(o, "size", done ? done->size : 0);
    json_add_count(o, "removed", done ? done->removed : 0);
    json_add(o, "lost", done && done->lost ? loss_json(done->lost) : NULL);
    json_object_object_foreach(more, key, value) json_add(o, key, json_object_get(value));
    json_add(o, "warnings", snap_warnings_json());
    snap_print_json(o);
}

void backup_path_tell(const struct backup_path *p, const struct backup_done *done,
                      struct json_object *more)
{
    static const char *const contents[] = {[MANIFEST_FULL] = "everything",
                                           [MANIFEST_DATABASE] = "all that is selected",
                                           [MANIFEST_INCREMENTAL] = "what has changed"};
    char end[SUFFIX], words[LOSS_WORDS];
    if (p->file && more)
        backup_path_print_json(p, done, more);
    else if (p->file && !done)
        printf("nothing has changed since %s\n", last(p)->path);
    else if (p->file)
        printf("%s%s: %s, %" PRIu64 " files, %" PRIu64 " bytes\n", p->path,
               suffix(done->number, end), contents[done->kind], done->files, done->bytes);
    if (p->file && !more && done && done->lost && *loss_words(done->lost, words))
        printf("since %s %s\n", last(p)->path, words);
    json_object_put(more);
}

int backup_path_fail(int code, const struct err *e)
{
    int exit_code = snap_fail(code, e);
    if (code == -EBADMSG || code == -EINVAL)
        return EXIT_CORRUPT;
    return code == -ESTALE ? EXIT_INCOMPLETE : exit_code;
}
