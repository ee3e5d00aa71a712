/* SPDX-License-Identifier: MIT */
/* cutscan: a damaged manifest is refused or read in order, wherever the reader goes in it; and one that
 * cutlist lets through is read as the same, if its kinds of lines come in their order: bisecting it
 * presumes that, and only influxfs itself can seal one. */
#include "store/base/cleanup.h"
#include "store/chain/cutlist.h"
#include "store/chain/cutscan.h"
#include "store/snapshot/manifest.h"
#include "tests/fuzz/cut_text.h"

#include <fcntl.h>
#include <unistd.h>

/* All lines but the last one, which is the seal. */
static bool is_in_order(const char *text, size_t n)
{
    int last = 0;
    if (strlen(text) != n)
        return false;
    for (const char *next; (next = strchr(text, '\n')) && next[1]; text = next + 1) {
        if (cut_line_rank(text) < last)
            return false;
        last = cut_line_rank(text);
    }
    return true;
}

/* As a reader of that manifest, or NULL: it is refused. */
static struct cutscan *open_text(const char *text, size_t n, struct err *e)
{
    char name[64];
    struct cutscan *f = NULL;
    snprintf(name, sizeof(name), "/tmp/fuzz-cutscan-%ld", (long)getpid());
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, text, n) == (ssize_t)n);
    close(fd);
    int r = cutscan_open(AT_FDCWD, name, false, &f, e);
    must(unlink(name) == 0);
    must_explain(r == -EINVAL ? -EBADMSG : r, -EBADMSG, e);
    must((r == 0) == (f != NULL));
    return f;
}

/* All entries, which rise; their number, or -EBADMSG. */
static ssize_t count_entries(struct cutscan *f, struct err *e)
{
    ssize_t n = 0;
    int r = 0;
    autofree char *last = NULL;
    for (const struct cut_entry *at; r == 0 && (at = cutscan_entry(f)); n++) {
        must(manifest_name_ok(at->path, cut_is_folder(at)));
        must(!last || cut_path_cmp(last, at->path) < 0);
        free(last);
        must((last = strdup(at->path)) != NULL);
        r = cutscan_next(f, e);
    }
    must_explain(r, -EBADMSG, e);
    return r < 0 ? r : n;
}

static int read_rest(struct cutscan *f, struct err *e)
{
    char none[] = "", *line = none;
    int r = 0;
    while (r == 0 && line) {
        r = cutscan_rest(f, &line, e);
        must(r < 0 || !line || !strchr(line, '\n'));
    }
    must_explain(r, -EBADMSG, e);
    return r;
}

/* Sought, the reader stands where it would have come to by itself. */
static void check_sought(const char *text, size_t n, const char *path, bool skip)
{
    struct err e = {""};
    struct cutscan *f = open_text(text, n, &e);
    must(f != NULL);
    int r = skip ? cutscan_skip(f, path, &e) : cutscan_seek(f, path, &e);
    must_explain(r, -EBADMSG, &e);
    const struct cut_entry *at = r == 0 ? cutscan_entry(f) : NULL;
    must(!at || cut_path_cmp(at->path, path) >= 0);
    must(!at || !skip || strcmp(at->path, path) != 0);
    cutscan_close(f);
}

/* cutlist does not ask for that, and only influxfs itself can seal another order. */
static bool rises(const struct cutlist *l, size_t i)
{
    return i == 0 || cut_path_cmp(l->removed[i - 1], l->removed[i]) < 0;
}

static void check_removed(const char *text, size_t n, const struct cutlist *l)
{
    struct err e = {""};
    struct cutscan *f = open_text(text, n, &e);
    must(f != NULL);
    for (size_t i = 0; i < l->nremoved && rises(l, i); i++)
        must(cutscan_removes(f, l->removed[i], false, &e) == 1);
    cutscan_close(f);
}

static void check_whole(const char *text, size_t n, const struct cutlist *l)
{
    struct err e = {""};
    struct cutscan *f = open_text(text, n, &e);
    must(f != NULL);
    must(count_entries(f, &e) == (ssize_t)l->n && read_rest(f, &e) == 0);
    cutscan_close(f);
    for (size_t i = 0; i < l->n && i < 64; i++) {
        check_sought(text, n, l->entries[i].path, false);
        check_sought(text, n, l->entries[i].path, true);
    }
    check_removed(text, n, l);
}

static void check_any(const char *text, size_t n)
{
    struct err e = {""};
    struct cutscan *f = open_text(text, n, &e);
    if (f && cutscan_removes(f, "data/db", true, &e) >= 0)
        count_entries(f, &e);
    e.text[0] = 0;
    if (f)
        read_rest(f, &e);
    cutscan_close(f);
    e.text[0] = 0;
    f = open_text(text, n, &e);
    if (f && cutscan_seek(f, "data/m", &e) == 0)
        cutscan_skip(f, "wal", &e);
    cutscan_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct cutlist *l = NULL;
    size_t len;
    char *text = cut_text(data, n, &len), *copy = malloc(len + 1);
    must(copy != NULL);
    memcpy(copy, text, len + 1);
    check_any(text, len);
    if (cutlist_parse("list", copy, len, &l, NULL) == 0 && is_in_order(text, len))
        check_whole(text, len, l);
    cutlist_free(l);
    free(text);
    return 0;
}
