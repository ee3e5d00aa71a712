/* SPDX-License-Identifier: MIT */
/* manifest_parse: what it lets through is safe, and is the same when it is written and read. */
#include "store/snapshot/manifest.h"
#include "tests/fuzz/fuzz.h"

static void check_names(char *const *names, size_t n, bool folders)
{
    for (size_t i = 0; i < n; i++) {
        must(manifest_name_ok(names[i], folders));
        must(i == 0 || strcmp(names[i - 1], names[i]) <= 0);
    }
}

static void check(const struct manifest *m)
{
    uint64_t bytes = 0;
    must(*m->id && m->host && m->created && m->number >= -1);
    must(manifest_kind_name(m->kind));
    for (size_t i = 0; i < m->nfiles; i++) {
        const struct manifest_file *f = &m->files[i];
        must(manifest_name_ok(f->name, false));
        must(i == 0 || strcmp(m->files[i - 1].name, f->name) < 0);
        must(f->size <= MANIFEST_FILE_MAX && manifest_find(m, f->name) == f);
        bytes += f->size;
    }
    must(bytes == m->bytes && bytes <= MANIFEST_FILE_MAX);
    must(m->lists_folders || m->nfolders == 0);
    check_names(m->removed, m->nremoved, false);
    check_names(m->removed_folders, m->nremoved_folders, true);
    check_names(m->folders, m->nfolders, true);
}

static void write_again(const struct manifest *m, char **text, size_t *len)
{
    struct manifest *copy = NULL;
    must(manifest_copy(m, &copy) == 0);
    must(manifest_write(copy, text, len) == 0);
    manifest_free(copy);
}

static void check_round_trip(const struct manifest *m)
{
    struct manifest *again = NULL;
    char *one = NULL, *other = NULL;
    size_t n_one = 0, n_other = 0;
    write_again(m, &one, &n_one);
    must(manifest_parse(one, n_one, &again, NULL) == 0);
    check(again);
    must(again->nfiles == m->nfiles && again->bytes == m->bytes && again->index == m->index);
    write_again(again, &other, &n_other);
    must(n_one == n_other && memcmp(one, other, n_one) == 0);
    manifest_free(again);
    free(one);
    free(other);
}

/* What is a manifest ends where its braces say, so that another one may follow. */
static void check_length(const char *p, size_t n, bool good)
{
    while (n && strchr(" \t\r\n", *p) && *p) {
        p++;
        n--;
    }
    size_t len = manifest_length(p, n);
    must(len <= n && (!len || (p[0] == '{' && p[len - 1] == '}')));
    must(!good || len);
    for (size_t i = len; good && i < n; i++)
        must(strchr(" \t\r\n", p[i]));
    must(len < 2 || manifest_length(p, len - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct manifest *m = NULL;
    struct err e = {""};
    int r = manifest_parse((const char *)data, n, &m, &e);
    must_explain(r == -EINVAL ? -EBADMSG : r, -EBADMSG, &e);
    must((r == 0) == (m != NULL));
    check_length((const char *)data, n, m);
    if (m) {
        check(m);
        check_round_trip(m);
    }
    manifest_free(m);
    return 0;
}
