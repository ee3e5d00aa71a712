/* SPDX-License-Identifier: MIT */
/* A manifest that is kept: as JSON on disk, as a copy in memory. */
#include "store/base/cleanup.h"
#include "store/snapshot/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void put_text(FILE *f, const char *text)
{
    struct json_object *o = text ? json_object_new_string(text) : NULL;
    fputs(json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE), f);
    json_object_put(o);
}

static void put_key(FILE *f, const char *key, const char *text)
{
    fprintf(f, "\"%s\":", key);
    put_text(f, text);
    fputc(',', f);
}

void manifest_rfc3339(int64_t ns, char out[40])
{
    int64_t below = ns % 1000000000;
    below += below < 0 ? 1000000000 : 0;
    time_t s = (time_t)((ns - below) / 1000000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, 40 - n, ".%09dZ", (int)below);
}

static void put_names(FILE *f, const char *key, char *const *names, size_t n)
{
    fprintf(f, "],\n\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? ",\n" : "\n", f);
        put_text(f, names[i]);
    }
}

static void put_manifest(FILE *f, const struct manifest *m)
{
    fputs("{\"version\":1,", f);
    put_key(f, "id", m->id);
    put_key(f, "kind", manifest_kind_name(m->kind));
    if (m->chain)
        put_key(f, "chain", m->chain);
    put_key(f, "parent", m->parent);
    if (m->number >= 0)
        fprintf(f, "\"number\":%" PRId64 ",", m->number);
    else
        fputs("\"number\":null,", f);
    put_key(f, "created", m->created);
    if (m->wall)
        put_key(f, "wall", m->wall);
    put_key(f, "host", m->host);
    fprintf(f, "\"index\":%" PRIu64 ",\"skew_ns\":%" PRId64 ",\"files\":[", m->index, m->skew_ns);
    for (size_t i = 0; i < m->nfiles; i++) {
        const struct manifest_file *file = &m->files[i];
        fputs(i ? ",\n{\"name\":" : "\n{\"name\":", f);
        put_text(f, file->name);
        fprintf(f, ",\"size\":%" PRIu64 ",\"index\":%" PRIu64 ",\"mtime_ns\":%" PRId64 "}",
                file->size, file->index, file->mtime_ns);
    }
    put_names(f, "removed", m->removed, m->nremoved);
    put_names(f, "removed_folders", m->removed_folders, m->nremoved_folders);
    if (m->nlinks)
        put_names(f, "links", m->links, m->nlinks);
    struct json_object *left_out = omissions_json(&m->left_out);
    fprintf(f, "],\n\"left_out\":%s}\n",
            json_object_to_json_string_ext(left_out, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(left_out);
}

int manifest_write(const struct manifest *m, char **text, size_t *len)
{
    char *own = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&own, &n);
    if (!f)
        return -ENOMEM;
    put_manifest(f, m);
    bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        free(own);
        return -ENOMEM;
    }
    *text = own;
    *len = n;
    return 0;
}

static int copy_text(const char *from, char **to)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

static int copy_names(char *const *from, size_t n, char ***to, size_t *count)
{
    int r = 0;
    *to = calloc(n + 1, sizeof(**to));
    for (size_t i = 0; *to && r == 0 && i < n; i++) {
        r = copy_text(from[i], &(*to)[i]);
        *count += r == 0;
    }
    return *to ? r : -ENOMEM;
}

static int copy_files(const struct manifest *from, struct manifest *to)
{
    int r = 0;
    to->files = calloc(from->nfiles + 1, sizeof(*to->files));
    for (size_t i = 0; to->files && r == 0 && i < from->nfiles; i++) {
        to->files[i] = from->files[i];
        r = copy_text(from->files[i].name, &to->files[i].name);
        to->nfiles += r == 0;
    }
    return to->files ? r : -ENOMEM;
}

int manifest_copy(const struct manifest *m, struct manifest **out)
{
    cleanup(manifest_freep) struct manifest *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->kind = m->kind;
    c->number = m->number;
    c->index = m->index;
    c->skew_ns = m->skew_ns;
    c->bytes = m->bytes;
    if (copy_text(m->id, &c->id) < 0 || copy_text(m->chain, &c->chain) < 0 ||
        copy_text(m->parent, &c->parent) < 0 || copy_text(m->host, &c->host) < 0 ||
        copy_text(m->created, &c->created) < 0 || copy_text(m->wall, &c->wall) < 0 ||
        copy_files(m, c) < 0 ||
        copy_names(m->removed, m->nremoved, &c->removed, &c->nremoved) < 0 ||
        copy_names(m->removed_folders, m->nremoved_folders, &c->removed_folders,
                   &c->nremoved_folders) < 0 ||
        copy_names(m->links, m->nlinks, &c->links, &c->nlinks) < 0 ||
        omissions_copy(&m->left_out, &c->left_out) < 0)
        return -ENOMEM;
    *out = steal_ptr(&c);
    return 0;
}
