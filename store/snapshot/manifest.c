/* SPDX-License-Identifier: MIT */
#include "store/snapshot/manifest.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/names.h"
#include "store/snapshot/manifest_json.h"
#include "store/snapshot/manifest_selection.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

/* "a/b/c" of components that neither climb nor hide, without control bytes. */
static bool manifest_plain_path(const char *name)
{
    size_t total = strlen(name);
    if (total == 0 || total >= PATH_MAX - 256)
        return false;
    for (const char *p = name;;) {
        size_t n = strcspn(p, "/");
        if (n == 0 || n > NAME_MAX || (n == 1 && p[0] == '.') ||
            (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
                return false;
        if (!p[n])
            return true;
        p += n + 1;
    }
}

static bool below(const char *name, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(name, folder, n) == 0 && name[n] == '/';
}

bool manifest_name_ok(const char *name, bool folder)
{
    if (!manifest_plain_path(name))
        return false;
    if (folder &&
        (strcmp(name, "meta") == 0 || strcmp(name, "data") == 0 || strcmp(name, "wal") == 0))
        return true;
    if (below(name, "meta"))
        return !folder && strcmp(name, NAME_META_MEMBER) == 0;
    /* A restore uses these itself when data or wal is a mount point. */
    for (const char *const *own = (const char *const[]){"data/.influxfs", "wal/.influxfs", NULL};
         *own; own++)
        if (strcmp(name, *own) == 0 || below(name, *own))
            return false;
    return below(name, "data") || below(name, "wal");
}

/* A key of the object, of the wanted type; NULL if absent or of another type. */
static struct json_object *member(struct json_object *o, const char *key, enum json_type type)
{
    struct json_object *v;
    return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, type) ? v : NULL;
}

/* Copies a string without control bytes. */
static int get_text(struct json_object *v, char **out)
{
    if (!v || !json_object_is_type(v, json_type_string))
        return -EBADMSG;
    const char *s = json_object_get_string(v);
    size_t n = (size_t)json_object_get_string_len(v);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return -EBADMSG;
    *out = strdup(s);
    return *out ? 0 : -ENOMEM;
}

static int get_uint(struct json_object *o, const char *key, uint64_t max, uint64_t *out)
{
    struct json_object *v = member(o, key, json_type_int);
    if (!v || json_object_get_int64(v) < 0 || json_object_get_uint64(v) > max)
        return -EBADMSG;
    *out = json_object_get_uint64(v);
    return 0;
}

static int get_int(struct json_object *o, const char *key, int64_t *out)
{
    struct json_object *v = member(o, key, json_type_int);
    if (!v)
        return -EBADMSG;
    *out = json_object_get_int64(v);
    return 0;
}

static int damaged(struct err *e, int code, const char *what)
{
    if (code == -ENOMEM)
        return err_sys(e, code, "manifest");
    return err_set(e, code, "manifest: %s is missing or damaged", what);
}

static int by_file_name(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->name, ((const struct manifest_file *)b)->name);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const struct manifest_file *manifest_find(const struct manifest *m, const char *name)
{
    const struct manifest_file key = {.name = (char *)name};
    return m->nfiles ? bsearch(&key, m->files, m->nfiles, sizeof(key), by_file_name) : NULL;
}

static int manifest_read_file(void *arg, struct json_object *o, struct err *e)
{
    struct manifest *m = arg;
    if (!o || !json_object_is_type(o, json_type_object))
        return err_set(e, -EBADMSG, "manifest: an entry of `files` is damaged");
    if (!array_grow(&m->files, m->nfiles))
        return damaged(e, -ENOMEM, "");
    struct manifest_file *f = &m->files[m->nfiles];
    *f = (struct manifest_file){0};
    int r = get_text(member(o, "name", json_type_string), &f->name);
    if (r < 0)
        return damaged(e, r, "a file's name");
    m->nfiles++;
    if (!manifest_name_ok(f->name, false))
        return err_set(e, -EBADMSG, "manifest: %s may not stand in a snapshot", f->name);
    if (get_uint(o, "size", MANIFEST_FILE_MAX, &f->size) < 0)
        return err_set(e, -EBADMSG, "manifest: the size of %s is damaged", f->name);
    if (get_uint(o, "index", UINT64_MAX, &f->index) < 0 || get_int(o, "mtime_ns", &f->mtime_ns) < 0)
        return err_set(e, -EBADMSG, "manifest: index or mtime_ns of %s is damaged", f->name);
    m->bytes += f->size;
    if (m->bytes > MANIFEST_FILE_MAX)
        return err_set(e, -EBADMSG, "manifest: the sizes add up to more than any disk");
    return 0;
}

static int manifest_read_files(const struct manifest_json *j, struct manifest *m, struct err *e)
{
    if (!member(manifest_json_root(j), "files", json_type_array))
        return damaged(e, -EBADMSG, "`files`");
    int r = manifest_json_each(j, "files", manifest_read_file, m, e);
    if (r == 0 && m->nfiles)
        qsort(m->files, m->nfiles, sizeof(*m->files), by_file_name);
    return r;
}

/* No name may appear twice or be a folder of another. Each folder must be looked up: "a.b" sorts
 * between "a" and "a/c". */
static int manifest_check_tree(const struct manifest *m, struct err *e)
{
    char folder[PATH_MAX];
    for (size_t i = 0; i < m->nfiles; i++) {
        const char *name = m->files[i].name;
        if (i && strcmp(m->files[i - 1].name, name) == 0)
            return err_set(e, -EBADMSG, "manifest: %s stands there twice", name);
        strcpy(folder, name);
        for (char *slash; (slash = strrchr(folder, '/'));) {
            *slash = 0;
            if (manifest_find(m, folder))
                return err_set(e, -EBADMSG, "manifest: %s is a file and a folder", folder);
        }
    }
    return 0;
}

/* A list of names that is being read. */
struct naming {
    const char *key;
    enum { TEXTS, FILES, FOLDERS } what;
    char ***list;
    size_t *n;
};

static int manifest_read_name(void *arg, struct json_object *o, struct err *e)
{
    const struct naming *to = arg;
    char *name;
    int r = array_grow(to->list, *to->n) ? get_text(o, &name) : -ENOMEM;
    if (r < 0)
        return damaged(e, r, to->key);
    (*to->list)[(*to->n)++] = name;
    if (to->what != TEXTS && !manifest_name_ok(name, to->what == FOLDERS))
        return err_set(e, -EBADMSG, "manifest: %s may not stand in `%s`", name, to->key);
    return 0;
}

static int manifest_read_names(const struct manifest_json *j, const struct naming *to,
                               struct err *e)
{
    struct json_object *list = member(manifest_json_root(j), to->key, json_type_array);
    if (!list)
        return damaged(e, -EBADMSG, to->key);
    int r = 0;
    if (to->what != TEXTS)
        r = manifest_json_each(j, to->key, manifest_read_name, (void *)to, e);
    for (size_t i = 0; r == 0 && to->what == TEXTS && i < json_object_array_length(list); i++)
        r = manifest_read_name((void *)to, json_object_array_get_idx(list, i), e);
    if (r == 0 && *to->n)
        qsort(*to->list, *to->n, sizeof(**to->list), by_text);
    return r;
}

static const char *const kinds[] = {"full", "incremental", "database"};

const char *manifest_kind_name(enum manifest_kind kind)
{
    return kinds[kind];
}

static int read_kind(struct json_object *root, struct manifest *m, struct err *e)
{
    struct json_object *v = member(root, "kind", json_type_string);
    for (size_t i = 0; v && i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcmp(json_object_get_string(v), kinds[i]) == 0) {
            m->kind = (enum manifest_kind)i;
            return 0;
        }
    }
    return damaged(e, -EBADMSG, "`kind`");
}

/* parent and number: a value, or null. */
static int manifest_read_origin(struct json_object *root, struct manifest *m, struct err *e)
{
    struct json_object *v;
    int r = 0;
    m->number = -1;
    if (!json_object_object_get_ex(root, "parent", &v) || (v && (r = get_text(v, &m->parent)) < 0))
        return damaged(e, r ? r : -EBADMSG, "`parent`");
    uint64_t number = 0;
    if (!json_object_object_get_ex(root, "number", &v) ||
        (v && get_uint(root, "number", INT64_MAX, &number) < 0))
        return damaged(e, -EBADMSG, "`number`");
    if (v)
        m->number = (int64_t)number;
    if (json_object_object_get_ex(root, "chain", &v) && (r = get_text(v, &m->chain)) < 0)
        return damaged(e, r, "`chain`");
    return 0;
}

/* What vanished, folder members, and what was left out. Manifests of no chain have neither
 * `removed_folders` nor `folders`. */
static int manifest_read_absent(const struct manifest_json *j, struct manifest *m, struct err *e)
{
    const struct naming lists[] = {
        {"removed", FILES, &m->removed, &m->nremoved},
        {"removed_folders", FOLDERS, &m->removed_folders, &m->nremoved_folders},
        {"folders", FOLDERS, &m->folders, &m->nfolders},
        {"links", TEXTS, &m->links, &m->nlinks},
    };
    struct json_object *root = manifest_json_root(j);
    m->lists_folders = json_object_object_get_ex(root, "folders", NULL);
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(lists) / sizeof(*lists); i++)
        if (i == 0 || json_object_object_get_ex(root, lists[i].key, NULL))
            r = manifest_read_names(j, &lists[i], e);
    if (r < 0)
        return r;
    r = omissions_parse(member(root, "left_out", json_type_array), &m->left_out);
    return r < 0 ? damaged(e, r, "left_out") : 0;
}

static int manifest_read_head(struct json_object *root, struct manifest *m, struct err *e)
{
    int r = get_text(member(root, "id", json_type_string), &m->id);
    if (r < 0 || !*m->id || strlen(m->id) > 128)
        return damaged(e, r ? r : -EBADMSG, "`id`");
    if ((r = get_text(member(root, "host", json_type_string), &m->host)) < 0)
        return damaged(e, r, "`host`");
    if ((r = get_text(member(root, "created", json_type_string), &m->created)) < 0)
        return damaged(e, r, "`created`");
    if (json_object_object_get_ex(root, "wall", NULL) &&
        (r = get_text(member(root, "wall", json_type_string), &m->wall)) < 0)
        return damaged(e, r, "`wall`");
    if (get_uint(root, "index", UINT64_MAX, &m->index) < 0)
        return damaged(e, -EBADMSG, "`index`");
    if (get_int(root, "skew_ns", &m->skew_ns) < 0)
        return damaged(e, -EBADMSG, "`skew_ns`");
    if ((r = read_kind(root, m, e)) < 0)
        return r;
    struct json_object *selection;
    if (json_object_object_get_ex(root, "selection", &selection) &&
        (r = manifest_selection_read(selection, &m->selection)) < 0)
        return damaged(e, r, "`selection`");
    return manifest_read_origin(root, m, e);
}

/* Whether invalid text was once a manifest. Damage to a byte affects one key at most, and a foreign
 * file has no such keys. */
static bool was_ours(const char *json, size_t len)
{
    static const char *const keys[] = {"\"version\"", "\"kind\"", "\"skew_ns\"", "\"left_out\""};
    int seen = 0;
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        seen += memmem(json, len, keys[i], strlen(keys[i])) != NULL;
    return seen >= 2;
}

static int manifest_check_version(struct json_object *root, bool ours, struct err *e)
{
    uint64_t version = 0;
    bool there = get_uint(root, "version", UINT64_MAX, &version) == 0;
    if (there && version == 1)
        return 0;
    if (!ours)
        return err_set(e, -EINVAL, "not a snapshot: its manifest is not one of influxfs");
    if (!there || version == 0)
        return damaged(e, -EBADMSG, "`version`");
    return err_set(e, -EINVAL, "manifest: version %llu is not known; use a newer influxfs",
                   (unsigned long long)version);
}

size_t manifest_length(const char *p, size_t n)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        if (quoted && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            quoted = !quoted;
        else if (!quoted && p[i] == '{')
            depth++;
        else if (!quoted && p[i] == '}' && --depth == 0)
            return i + 1;
        if (depth == 0)
            return 0;
    }
    return 0;
}

int manifest_parse(const char *json, size_t len, struct manifest **out, struct err *e)
{
    bool ours = was_ours(json, len);
    cleanup(manifest_json_freep) struct manifest_json *j = NULL;
    int r = len > MANIFEST_MAX ? -EBADMSG : manifest_json_parse(json, len, &j);
    if (r == -EBADMSG)
        return ours ? err_set(e, r, "manifest: damaged, it is not valid JSON")
                    : err_set(e, -EINVAL, "not a snapshot: its manifest is not JSON");
    if (r < 0)
        return damaged(e, r, "");
    struct json_object *root = manifest_json_root(j);
    if ((r = manifest_check_version(root, ours, e)) < 0)
        return r;
    cleanup(manifest_freep) struct manifest *m = calloc(1, sizeof(*m));
    if (!m)
        return damaged(e, -ENOMEM, "");
    if ((r = manifest_read_head(root, m, e)) < 0 || (r = manifest_read_files(j, m, e)) < 0 ||
        (r = manifest_check_tree(m, e)) < 0 || (r = manifest_read_absent(j, m, e)) < 0)
        return r;
    *out = steal_ptr(&m);
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
    c->unlisted = m->unlisted;
    c->bytes = m->bytes;
    c->lists_folders = m->lists_folders;
    if ((m->selection && selection_copy(m->selection, &c->selection) < 0) ||
        copy_text(m->id, &c->id) < 0 || copy_text(m->chain, &c->chain) < 0 ||
        copy_text(m->parent, &c->parent) < 0 || copy_text(m->host, &c->host) < 0 ||
        copy_text(m->created, &c->created) < 0 || copy_text(m->wall, &c->wall) < 0 ||
        copy_files(m, c) < 0 ||
        copy_names(m->removed, m->nremoved, &c->removed, &c->nremoved) < 0 ||
        copy_names(m->removed_folders, m->nremoved_folders, &c->removed_folders,
                   &c->nremoved_folders) < 0 ||
        copy_names(m->folders, m->nfolders, &c->folders, &c->nfolders) < 0 ||
        copy_names(m->links, m->nlinks, &c->links, &c->nlinks) < 0 ||
        omissions_copy(&m->left_out, &c->left_out) < 0)
        return -ENOMEM;
    *out = steal_ptr(&c);
    return 0;
}

static void free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

void manifest_free(struct manifest *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->nfiles; i++)
        free(m->files[i].name);
    free(m->files);
    free_names(m->removed, m->nremoved);
    free_names(m->removed_folders, m->nremoved_folders);
    free_names(m->folders, m->nfolders);
    free_names(m->links, m->nlinks);
    omissions_clear(&m->left_out);
    selection_free(m->selection);
    free(m->id);
    free(m->chain);
    free(m->parent);
    free(m->host);
    free(m->created);
    free(m->wall);
    free(m);
}
